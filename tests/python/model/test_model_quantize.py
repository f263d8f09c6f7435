"""`b12x quantize`: what it writes, what it refuses, and that it writes all or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from b12x.model import ModelError, load_model, quantize_folder, read_config
from b12x.model.checkpoint import expected_tensors, fused_groups
from b12x.quant import reference
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]


def silent(*_: object) -> None:
    """Progress for tests."""


def refused(source: Path, target: Path, *parts: str, calibration: Path | None = None) -> None:
    before = sorted(target.parent.iterdir())
    with pytest.raises(ModelError) as caught:
        quantize_folder(source, target, calibration, silent)
    for part in parts:
        assert part in str(caught.value)
    assert sorted(target.parent.iterdir()) == before, "nothing half written"


def test_tensors_and_scales(bf16_folder: Path, nvfp4_folder: Path) -> None:
    config = read_config(nvfp4_folder)
    source, made = load_file(bf16_folder / "model.safetensors"), load_file(nvfp4_folder / "model.safetensors")
    want = {name: (shape, dtype) for name, (shape, dtype) in expected_tensors(config).items()}
    assert {name: (tuple(t.shape), t.dtype) for name, t in made.items()} == want
    for group in fused_groups(config):
        stacked = torch.cat([source[f"{module}.weight"].float().flatten() for module in group])
        for module in group:
            gs = made[f"{module}.weight_scale_2"]
            assert gs == stacked.abs().max() / 2688, "a fused group shares the scale of its largest weight"
            assert made[f"{module}.input_scale"] == made[f"{group[0]}.input_scale"]
            packed, scales, _ = reference.quantize_nvfp4_reference(source[f"{module}.weight"], gs)
            assert torch.equal(made[f"{module}.weight"], packed)
            assert torch.equal(made[f"{module}.weight_scale"].view(torch.uint8), scales)
            weight = reference.dequantize_nvfp4_reference(packed, scales, gs)
            original = source[f"{module}.weight"].float()
            assert ((weight - original).norm() / original.norm()).item() < 0.12
    for name in ("model.embed_tokens.weight", "model.layers.1.mlp.gate.weight", "model.norm.weight"):
        assert torch.equal(made[name], source[name])


def test_input_scales_cover_the_text(bf16_folder: Path, nvfp4_folder: Path) -> None:
    """input_scale is amax/2688 of what the BF16 model feeds a module over the calibration text."""
    made = load_file(nvfp4_folder / "model.safetensors")
    dense = load_model(bf16_folder, "dense")
    from b12x.model import TextTokenizer

    ids = TextTokenizer(bf16_folder, 300).encode((bf16_folder / "calibration.txt").read_text())
    for begin in range(0, len(ids), 128):
        dense.forward(torch.tensor(ids[begin : begin + 128]), dense.new_cache(128))
    seen = dense.backend.input_amax
    for module in ("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.o_proj"):
        assert made[f"{module}.input_scale"].item() == pytest.approx(seen[module] / 2688, rel=1e-5)
    gates = [f"model.layers.1.mlp.experts.{e}.gate_proj" for e in range(4)]
    assert len({made[f"{gate}.input_scale"].item() for gate in gates}) == 1, "experts share their common input's scale"
    assert made[f"{gates[0]}.input_scale"].item() == pytest.approx(max(seen[g] for g in gates) / 2688, rel=1e-5)


def test_configs(nvfp4_folder: Path) -> None:
    inner = json.loads((nvfp4_folder / "config.json").read_text())["quantization_config"]
    outer = json.loads((nvfp4_folder / "hf_quant_config.json").read_text())["quantization"]
    assert (inner["quant_method"], inner["quant_algo"], inner["group_size"]) == ("modelopt", "NVFP4", 16)
    assert (outer["quant_algo"], outer["group_size"]) == ("NVFP4", 16)
    assert inner["ignore"] == outer["exclude_modules"]
    assert {"lm_head", "model.layers.0.mlp.gate", "model.layers.1.mlp.gate"} <= set(inner["ignore"])


def test_progress_reaches_its_totals(bf16_folder: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    sizes = quantize_folder(bf16_folder, tmp_path / "out", None, lambda *call: calls.append(call))
    last = {stage: (done, total) for stage, done, total in calls}
    assert set(last) == {"calibrate", "quantise"} and all(done == total > 0 for done, total in last.values())
    assert sizes["target_bytes"] < 0.6 * sizes["source_bytes"]


def test_refusals(bf16_folder: Path, nvfp4_folder: Path, edit_bf16, tmp_path: Path) -> None:
    target = tmp_path / "out"
    refused(nvfp4_folder, target, "is quantised already")
    refused(bf16_folder, tmp_path, "exists already")
    refused(tmp_path / "nowhere", target, "no such model folder")
    refused(bf16_folder, target, "absent.txt", "no readable calibration text", calibration=tmp_path / "absent.txt")
    with pytest.raises(ModelError, match="no such folder to write to"):
        quantize_folder(bf16_folder, tmp_path / "deep" / "out", None, silent)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    refused(bf16_folder, target, "gave no input to", calibration=empty)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda t: None, ["is missing", "bfloat16 [64, 64]"]),
        (lambda t: t[:, :48], ["shape [64, 48], want [64, 64]"]),
        (lambda t: t.float(), ["dtype float32, want bfloat16"]),
        (lambda t: t * float("nan"), ["holds NaN or infinity"]),
    ],
)
def test_refuses_bad_weights(edit_bf16, tmp_path: Path, change, parts: list[str]) -> None:
    name = "model.layers.0.mlp.experts.3.down_proj.weight"
    tensor = load_file(edit_bf16.folder / "model.safetensors")[name]
    changed = change(tensor)
    folder = edit_bf16.tensors(**{name: None if changed is None else changed.contiguous()})
    refused(folder, tmp_path / "out", name, *parts)


def test_refuses_an_indivisible_k(edit_bf16, tmp_path: Path) -> None:
    refused(edit_bf16.config(moe_intermediate_size=96), tmp_path / "out", "64 outputs and 96 inputs", "multiple of 64")


def test_a_failed_write_leaves_nothing(bf16_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from b12x.model import quantize

    def broken(path: Path, value: dict) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(quantize, "_write_json", broken)
    with pytest.raises(OSError, match="disk full"):
        quantize_folder(bf16_folder, tmp_path / "out", None, silent)
    assert list(tmp_path.iterdir()) == []
