"""The bundled model's logits and greedy text on one device, to be held against another device's.

    python tests/calibration/model_logits.py record FILE     # on the device that B12X_DRIVER names: gpu, sim
    python tests/calibration/model_logits.py compare A B     # lowest cosine over positions, both texts

FILE is an .npz: `logits` float32 [64, vocab] of the first 64 tokens of held-out text, `text` the greedy continuation
of a fixed prompt, `device` its name. `tests/calibration/data/h200_model.npz` was recorded on an H200;
`tests/python/model/test_model_h200.py` compares with it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from b12x import runtime
from b12x.model import TextTokenizer, generate_ids, load_model

MODELS = Path(__file__).resolve().parents[2] / "models"
POSITIONS = 64
PROMPT, NEW_TOKENS = "And it came to pass", 32


def answers() -> dict[str, np.ndarray]:
    """Run the bundled NVFP4 model's kernels on the selected driver."""
    device = runtime.select_driver()
    model = load_model(MODELS / "kjv-moe-nvfp4", "kernels", device)
    tokenizer = TextTokenizer(MODELS / "kjv-moe-nvfp4", model.config.vocab_size)
    heldout = (MODELS / "kjv-moe-bf16" / "heldout.txt").read_text(encoding="utf-8")
    tokens = torch.tensor(tokenizer.encode(heldout[:2000])[:POSITIONS])
    logits = model.forward(tokens, model.new_cache(POSITIONS))
    ids = list(generate_ids(model, tokenizer.encode(PROMPT), NEW_TOKENS, 0.0, 0))
    return {
        "logits": logits.float().cpu().numpy(),
        "ids": np.array(ids),
        "text": np.array(PROMPT + tokenizer.decode(ids)),
        "device": np.array(runtime.device_name(device)),
    }


def lowest_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Lowest cosine over rows, in float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).min())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("record").add_argument("file", type=Path)
    compare = commands.add_parser("compare")
    compare.add_argument("files", type=Path, nargs=2)
    options = parser.parse_args()
    if options.command == "record":
        found = answers()
        np.savez_compressed(options.file, **found)
        print(f"{found['device']}: {found['text']}")
        return 0
    first, second = (np.load(path) for path in options.files)
    print(f"{first['device']} against {second['device']}")
    cosine = lowest_cosine(first["logits"], second["logits"])
    print(f"logits: lowest cosine of {len(first['logits'])} positions {cosine:.9f}")
    print(f"greedy: {int((first['ids'] == second['ids']).sum())} of {len(first['ids'])} tokens equal")
    print(f"  {first['text']}\n  {second['text']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
