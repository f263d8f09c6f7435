"""The forward pass against an independent implementation (the training script's, which equals transformers' logits)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from b12x.model import ModelError, generate_ids, load_model
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def train_model() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_model", ROOT / "tools/train/model.py")
    module = sys.modules["train_model"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def other(train_model: ModuleType, bf16_folder: Path):
    """The training script's model with the tiny folder's weights."""
    config = load_model(bf16_folder, "dense").config
    fields = {name: getattr(config, name) for name in train_model.Config.__dataclass_fields__}
    model = train_model.Model(train_model.Config(**fields))
    tensors = {name: t.float() for name, t in load_file(bf16_folder / "model.safetensors").items()}
    with torch.no_grad():
        model.embedding.copy_(tensors["model.embed_tokens.weight"])
        model.final_norm.copy_(tensors["model.norm.weight"])
        for i, block in enumerate(model.blocks):

            def of(name: str, layer: str = f"model.layers.{i}") -> torch.Tensor:
                return tensors[f"{layer}.{name}.weight"]

            block.input_norm.copy_(of("input_layernorm"))
            block.post_norm.copy_(of("post_attention_layernorm"))
            block.router.copy_(of("mlp.gate"))
            for part in "qkvo":
                getattr(block, part).copy_(of(f"self_attn.{part}_proj"))
            for part in ("q_norm", "k_norm"):
                getattr(block, part).copy_(of(f"self_attn.{part}"))
            for e in range(config.num_experts):
                block.gate_up[0, e].copy_(of(f"mlp.experts.{e}.gate_proj"))
                block.gate_up[1, e].copy_(of(f"mlp.experts.{e}.up_proj"))
                block.down[e].copy_(of(f"mlp.experts.{e}.down_proj"))
    return model


def random_tokens(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(1, 300, (count,), generator=torch.Generator().manual_seed(seed))


def test_dense_logits_equal_the_other_implementation(bf16_folder: Path, other) -> None:
    model, tokens = load_model(bf16_folder, "dense"), random_tokens(96)
    ours = model.forward(tokens, model.new_cache(96))
    theirs, _ = other(tokens[None])
    assert theirs.std() > 0.5, "the comparison needs logits that differ"
    torch.testing.assert_close(ours, theirs[0], rtol=1e-4, atol=1e-4)


def test_quantised_logits_are_near_the_dense_ones(bf16_folder: Path, nvfp4_folder: Path) -> None:
    tokens = random_tokens(64)
    dense, quantised = load_model(bf16_folder, "dense"), load_model(nvfp4_folder, "reference")
    a, b = dense.forward(tokens, dense.new_cache(64)), quantised.forward(tokens, quantised.new_cache(64))
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)
    # Random weights route by small margins; a shuffled layer gives less than 0.5.
    assert cosine.mean() > 0.8 and not torch.equal(a, b)


@pytest.mark.parametrize("backend", ["dense", "reference"])
def test_pieces_give_the_logits_of_one_pass(request: pytest.FixtureRequest, backend: str) -> None:
    folder = request.getfixturevalue("bf16_folder" if backend == "dense" else "nvfp4_folder")
    model, tokens = load_model(folder, backend), random_tokens(24)
    whole = model.forward(tokens, model.new_cache(24))
    cache = model.new_cache(24)
    # Whatever lies beyond the filled positions must not be read.
    cache.keys.fill_(float("nan"))
    cache.values.fill_(float("nan"))
    pieces = [model.forward(part, cache) for part in tokens.split([10, 1, 1, 7, 1, 4])]
    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-4, atol=1e-4)
    last = model.forward(tokens, model.new_cache(24), last_only=True)
    torch.testing.assert_close(last, whole[-1:], rtol=1e-5, atol=1e-5)


def test_bounds_are_checked(bf16_folder: Path) -> None:
    model = load_model(bf16_folder, "dense")
    with pytest.raises(ModelError, match="129 positions are more than the model's max_position_embeddings 128"):
        model.new_cache(129)
    with pytest.raises(ModelError, match="token id 300 is outside the vocabulary of 300"):
        model.forward(torch.tensor([1, 300]), model.new_cache(8))
    with pytest.raises(ModelError, match="holds 4 positions, position 5"):
        model.forward(random_tokens(5), model.new_cache(4))
    with pytest.raises(ModelError, match="exceed the model's 128 positions; ask for at most 118"):
        generate_ids(model, [1] * 10, 119)
    with pytest.raises(ModelError, match="prompt is empty"):
        generate_ids(model, [], 4)


def test_greedy_follows_the_largest_logit(bf16_folder: Path) -> None:
    model, prompt = load_model(bf16_folder, "dense"), random_tokens(6).tolist()
    out = list(generate_ids(model, prompt, 12))
    logits = model.forward(torch.tensor(prompt + out), model.new_cache(18))
    wanted = logits.argmax(-1)[len(prompt) - 1 : -1].tolist()
    assert out == wanted[: len(out)] and (len(out) == 12 or logits[len(prompt) - 1 + len(out)].argmax() == 0)


def test_sampling_depends_on_seed_and_temperature_alone(bf16_folder: Path) -> None:
    model, prompt = load_model(bf16_folder, "dense"), random_tokens(6).tolist()

    def text(**how: float) -> list[int]:
        return list(generate_ids(model, prompt, 10, **how))

    assert text(temperature=1.0, seed=5) == text(temperature=1.0, seed=5)
    assert len({tuple(text(temperature=1.0, seed=s)) for s in range(4)}) > 1
    assert text(temperature=1e-4, seed=1) == text(temperature=0.0, seed=2), "cold sampling is greedy"
