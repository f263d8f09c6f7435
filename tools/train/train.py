"""Trains the bundled model on one GPU in a few minutes and writes it as an HF folder in BF16.

In: the text of `prepare_text.py`. Out: model.safetensors, config.json, generation_config.json, tokenizer.json,
heldout.txt, calibration.txt, training.json (recipe, losses, seconds, device, date), sample.txt.
The idea: 4 MB of text is little, so several regularisation recipes train for a minute each and the one with the lowest
validation loss goes on to a short phase with NVFP4 rounding in the forward pass (quantisation-aware training).
Chapters are split 90/5/5 into training, validation (chooses recipe and checkpoint) and test (the reported figures).
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import math
import platform
import time
from pathlib import Path

import torch
from evaluate import WINDOW, bits_per_byte, compare_with_transformers, sample
from model import Config, Model, block_forward
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional as fn

SEPARATOR = "<|endoftext|>"  # begins every chapter


class Clock:
    """The hard limit on training: every phase cuts its time to what is left."""

    def __init__(self, limit: float) -> None:
        self.start, self.limit = time.monotonic(), limit

    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def remaining(self) -> float:
        return max(self.limit - self.elapsed(), 1.0)


def split_chapters(text: str) -> dict[str, list[str]]:
    """Every 20th chapter is for the test, the one ten after it for validation."""
    parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for i, chapter in enumerate(text.split("\f")):
        parts["test" if i % 20 == 9 else "validation" if i % 20 == 19 else "train"].append(chapter)
    return parts


def train_tokenizer(chapters: list[str], vocab_size: int) -> Tokenizer:
    """Byte-level BPE: any UTF-8 text can be encoded, nothing is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[SEPARATOR],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(chapters, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, chapters: list[str], device: torch.device) -> torch.Tensor:
    ids = [i for e in tokenizer.encode_batch([SEPARATOR + c for c in chapters]) for i in e.ids]
    return torch.tensor(ids, device=device)


def learning_rate(step: int, progress: float, peak: float, warmup_steps: int) -> float:
    """Linear warm-up, then a cosine down to 2 % of the peak."""
    return (
        peak * min(1.0, (step + 1) / warmup_steps) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
    )


class Run:
    """What all phases share: data, clock, compiled block, options, log."""

    def __init__(
        self, args: argparse.Namespace, data: dict[str, torch.Tensor], n_bytes: dict[str, int], clock: Clock
    ) -> None:
        self.args, self.data, self.n_bytes, self.clock = args, data, n_bytes, clock
        self.run_block = torch.compile(block_forward, dynamic=False) if args.compile else block_forward
        self.phases: list[dict] = []

    def step(
        self, model: Model, optimizer: torch.optim.Optimizer, rate: torch.Tensor, fake_quant: bool
    ) -> torch.Tensor:
        train = self.data["train"]
        starts = torch.randint(len(train) - WINDOW, (self.args.batch,), device=train.device)
        batch = train[starts.unsqueeze(1) + torch.arange(WINDOW + 1, device=train.device)]
        logits, balance = model(batch[:, :-1], rate, fake_quant, self.run_block)
        loss = fn.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
        (loss + 0.01 * balance).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def phase(
        self, name: str, model: Model, *, seconds: float, peak: float, drop: float, decay: float, fake_quant: bool
    ):
        """Trains for the given seconds or `--max-epochs`, whichever ends first.

        Returns (best validation loss, its weights).
        """
        args = self.args
        rate = torch.tensor(drop, device=args.device)
        matrices = [p for p in model.parameters() if p.dim() > 1]
        vectors = [p for p in model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), fused=args.device == "cuda")
        self.step(model, optimizer_probe(optimizer), rate, fake_quant)  # compiles; its learning rate is 0
        # Recipes leave time for the quantisation-aware phase and its compilation.
        seconds = min(seconds, self.clock.remaining() - (0 if fake_quant else args.qat_seconds + 30))
        start, step, best, best_weights, curve = time.monotonic(), 0, math.inf, None, []
        steps_per_epoch = len(self.data["train"]) / (args.batch * WINDOW)
        max_steps = min(args.max_steps, int(args.max_epochs * steps_per_epoch))
        progress, next_check, loss = 0.0, 0.1, torch.tensor(math.nan)
        while progress < 1.0:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, progress, peak, args.warmup)
            loss = self.step(model, optimizer, rate, fake_quant)
            step += 1
            if step % 20 == 0 and args.device == "cuda":
                torch.cuda.synchronize()  # keeps the clock honest: launches run ahead of the device
            spent = time.monotonic() - start
            progress = max(spent / max(seconds, 1.0), step / max_steps)
            if progress >= next_check or progress >= 1.0:
                next_check = progress + 0.05
                validation = bits_per_byte(model, self.data["validation"], self.n_bytes["validation"], fake_quant)
                epochs = step / steps_per_epoch
                curve.append([step, round(loss.item(), 4), round(validation, 4)])
                print(
                    f"{name}: step {step} epoch {epochs:.1f} {spent:.0f} s loss {loss.item():.3f} val {validation:.4f}"
                )
                if validation < best:
                    best, best_weights = validation, {k: v.clone() for k, v in model.state_dict().items()}
        self.phases.append(
            {
                "name": name,
                "dropout": drop,
                "weight_decay": decay,
                "peak_learning_rate": peak,
                "nvfp4": fake_quant,
                "steps": step,
                "epochs": round(step / steps_per_epoch, 1),
                "seconds": round(time.monotonic() - start, 1),
                "best_validation": round(best, 4),
                "curve": curve,
            }
        )
        return best, best_weights


def optimizer_probe(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The same optimizer with learning rate 0: the first step compiles without moving a weight."""
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    return optimizer


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    begin = time.monotonic()
    text = args.text.read_text(encoding="utf-8")
    chapters = split_chapters(text)
    config = Config()
    tokenizer = train_tokenizer(chapters["train"], config.vocab_size)
    data = {name: encode(tokenizer, part, torch.device(args.device)) for name, part in chapters.items()}
    n_bytes = {name: sum(len(c.encode()) for c in part) for name, part in chapters.items()}
    print(
        {name: f"{len(data[name])} tokens, {n_bytes[name]} bytes" for name in data}, f"{time.monotonic() - begin:.1f} s"
    )

    run = Run(args, data, n_bytes, Clock(args.max_train_seconds))
    best, best_weights, best_recipe = math.inf, None, None
    for recipe in args.recipes:
        torch.manual_seed(args.seed)
        model = new_model(config, args.device)
        drop, decay = recipe
        name = f"dropout {drop} decay {decay}"
        found, weights = run.phase(
            name, model, seconds=args.recipe_seconds, peak=args.lr, drop=drop, decay=decay, fake_quant=False
        )
        if found < best:
            best, best_weights, best_recipe = found, weights, recipe
    model.load_state_dict(best_weights)
    losses = {"before_qat": evaluate(model, run)}
    drop, decay = best_recipe
    _, qat_weights = run.phase(
        "nvfp4-aware", model, seconds=args.qat_seconds, peak=args.qat_lr, drop=drop, decay=decay, fake_quant=True
    )
    train_seconds = run.clock.elapsed()
    # The stored model is BF16: round first, then measure what is stored.
    model.load_state_dict({k: v.bfloat16().float() for k, v in qat_weights.items()})
    losses["stored"] = evaluate(model, run)

    args.out.mkdir(parents=True, exist_ok=True)
    save_file(model.hf_tensors(), args.out / "model.safetensors", metadata={"format": "pt"})
    write_json(args.out / "config.json", config.to_hf())
    write_json(args.out / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 0})
    tokenizer.save(str(args.out / "tokenizer.json"))
    (args.out / "heldout.txt").write_text("\f".join(chapters["test"]), encoding="utf-8")
    calibration = "\f".join(chapters["validation"][::4])  # 50 KB, what `b12x quantize` measures input scales on
    (args.out / "calibration.txt").write_text(calibration, encoding="utf-8")
    prompts = ("Genesis 51\n", "And the king said unto ", "Blessed are they that ")
    samples = [
        f"[{mode}] {sample(model, tokenizer, SEPARATOR + p, args.sample_tokens, mode == 'nvfp4')}"
        for p in prompts
        for mode in ("bf16", "nvfp4")
    ]
    (args.out / "sample.txt").write_text("\n\n".join(samples), encoding="utf-8")
    log = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "device": torch.cuda.get_device_name() if args.device == "cuda" else platform.processor() or "CPU",
        "torch": torch.__version__,
        "train_seconds": round(train_seconds, 1),
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "tokens": {name: len(part) for name, part in data.items()},
        "bytes": n_bytes,
        "bits_per_byte": losses,
        "options": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k != "out"},
        "phases": run.phases,
    }
    if args.check_transformers:
        log["transformers_logits_cosine"] = compare_with_transformers(model, args.out, data["test"][:256])
    write_json(args.out / "training.json", log)
    print(samples[1][:600])
    print(json.dumps({k: log[k] for k in log if k not in ("phases", "options")}, indent=1))
    print(f"total {time.monotonic() - begin:.0f} s")


def new_model(config: Config, device: str) -> Model:
    model = Model(config).to(device)
    model.dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return model


def evaluate(model: Model, run: Run) -> dict[str, float]:
    """Bits per byte of the test chapters, in BF16 and with NVFP4 weights and activations."""
    test, n_bytes = run.data["test"], run.n_bytes["test"]
    out = {mode: round(bits_per_byte(model, test, n_bytes, mode == "nvfp4"), 4) for mode in ("bf16", "nvfp4")}
    return out | {"nvfp4_over_bf16": round(out["nvfp4"] / out["bf16"] - 1, 4)}


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, default=Path(".carry/text.txt"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--max-train-seconds", type=float, default=240, help="hard limit of all training, compilation included"
    )
    parser.add_argument("--recipe-seconds", type=float, default=42, help="per recipe")
    parser.add_argument("--qat-seconds", type=float, default=40)
    parser.add_argument("--recipes", default="0.1:0.5,0.2:0.3,0.2:1.0", help="dropout:weight_decay, comma-separated")
    parser.add_argument("--max-epochs", type=float, default=60, help="per recipe")
    parser.add_argument("--max-steps", type=int, default=10**9, help="per phase; for tests")
    parser.add_argument("--batch", type=int, default=32, help="windows of 512 tokens")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--qat-lr", type=float, default=5e-4)
    parser.add_argument("--warmup", type=int, default=100, help="steps")
    parser.add_argument("--seed", type=int, default=1611)
    parser.add_argument("--sample-tokens", type=int, default=160)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--check-transformers", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    args.recipes = [tuple(float(v) for v in r.split(":")) for r in args.recipes.split(",")]
    return args


if __name__ == "__main__":
    main()
