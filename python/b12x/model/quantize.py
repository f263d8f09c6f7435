"""BF16 folder -> NVFP4 folder in ModelOpt's layout.

In: an HF folder of Qwen3MoeForCausalLM in BF16 and a text. Out: the same model with every linear layer of attention and
experts in NVFP4; embeddings, norms, routers and the output head stay BF16.
The idea: weights are quantised by the host's reference formula; input scales are measured by running the BF16 model
over the text (amax / 2688). Modules that one GEMM computes (q k v; gate up of an expert) share both scales, and the
experts of a layer share the scale of their common input. The folder appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from b12x.model.checkpoint import expected_tensors, fused_groups, read_tensors
from b12x.model.config import ModelConfig, ModelError, read_config, read_json
from b12x.model.linear import DenseBackend
from b12x.model.qwen3_moe import Qwen3Moe
from b12x.model.tokenizer import TextTokenizer
from b12x.quant import reference

CALIBRATION_TEXT = "calibration.txt"
CALIBRATION_WINDOW = 512
MAX_CALIBRATION_WINDOWS = 16
# Files of a folder that describe its tokens rather than its weights.
COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")

Progress = Callable[[str, int, int], None]  # stage, done, total


def calibrate(
    config: ModelConfig, tensors: dict[str, Tensor], tokenizer: TextTokenizer, text: str, progress: Progress
) -> dict[str, float]:
    """Largest |input| of every quantised module that the BF16 model shows over the text's first windows."""
    backend = DenseBackend()
    model = Qwen3Moe(config, tensors, backend, "cpu")
    ids = tokenizer.encode(text.replace("\f", "\n"))
    window = min(CALIBRATION_WINDOW, config.max_position_embeddings)
    windows = [ids[i : i + window] for i in range(0, len(ids), window)][:MAX_CALIBRATION_WINDOWS]
    for done, part in enumerate(windows):
        progress("calibrate", done, len(windows))
        model.forward(torch.tensor(part), model.new_cache(len(part)), last_only=True)
    progress("calibrate", len(windows), len(windows))
    return backend.input_amax


def shared_amax(config: ModelConfig, measured: dict[str, float]) -> dict[str, float]:
    """amax per module; experts that the text never reached take the largest of their layer's other experts.

    All gate and up projections of a layer share one value. Raises ModelError if a whole layer saw nothing.
    """
    out: dict[str, float] = {}
    for group in fused_groups(config):
        layer, kind = group[0].split(".mlp.")[0], group[0].rsplit(".", 1)[1]
        is_expert, is_input = ".experts." in group[0], len(group) > 1
        peers = [v for k, v in measured.items() if k.startswith(f"{layer}.mlp.") and k.endswith(kind)]
        alone = measured.get(group[0], 0.0)
        amax = max(peers, default=0.0) if is_expert and (is_input or alone == 0.0) else alone
        if amax <= 0.0:
            raise ModelError(f"calibration: the text gave no input to {group[0]}; use a longer or more typical text")
        out |= dict.fromkeys(group, amax)
    return out


def quantize_tensors(
    config: ModelConfig, tensors: dict[str, Tensor], amax: dict[str, float], progress: Progress
) -> dict[str, Tensor]:
    """All tensors of the NVFP4 folder, by name."""
    groups = fused_groups(config)
    quantised = {f"{module}.weight" for group in groups for module in group}
    out = {name: tensor for name, tensor in tensors.items() if name not in quantised}
    for done, group in enumerate(groups):
        progress("quantise", done, len(groups))
        weights = [tensors[f"{module}.weight"] for module in group]
        weight_scale = reference.global_scale_of(torch.cat([w.flatten() for w in weights]))
        input_scale = torch.tensor(amax[group[0]], dtype=torch.float32) / (reference.E2M1_MAX * reference.E4M3_MAX)
        for module, weight in zip(group, weights, strict=True):
            packed, block_scales, _ = reference.quantize_nvfp4_reference(weight, weight_scale)
            out |= {
                f"{module}.weight": packed,
                f"{module}.weight_scale": block_scales.view(torch.float8_e4m3fn),
                f"{module}.weight_scale_2": weight_scale.clone(),
                f"{module}.input_scale": input_scale.clone(),
            }
    progress("quantise", len(groups), len(groups))
    return out


def quantization_configs(config: ModelConfig, source: dict) -> tuple[dict, dict]:
    """(config.json with quantization_config, hf_quant_config.json)."""
    from b12x import __version__

    producer = {"name": "b12x", "version": __version__}
    ignore = ["lm_head", "model.embed_tokens", *(f"model.layers.{i}.mlp.gate" for i in range(config.num_hidden_layers))]
    quantization = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "ignore": ignore}
    hf_quant = {"quant_algo": "NVFP4", "kv_cache_quant_algo": None, "group_size": 16, "exclude_modules": ignore}
    return (
        {**source, "quantization_config": {**quantization, "producer": producer}},
        {"producer": producer, "quantization": hf_quant},
    )


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def quantize_folder(source: Path, target: Path, calibration: Path | None, progress: Progress) -> dict[str, int]:
    """Writes `target`, which must not exist, from `source`; `calibration` defaults to SRC/calibration.txt.

    progress(stage, done, total) is called along the way. Returns {"source_bytes", "target_bytes"} of all weights.
    Raises ModelError for a folder that cannot be quantised; then `target` does not exist.
    """
    if target.exists():
        raise ModelError(f"{target}: exists already; remove it or choose another name")
    if not target.parent.is_dir():
        raise ModelError(f"{target.parent}: no such folder to write to")
    config = read_config(source)
    if config.is_nvfp4:
        raise ModelError(f"{source}: is quantised already (NVFP4); want a folder with BF16 weights")
    text_path = calibration or source / CALIBRATION_TEXT
    try:
        text = text_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "" if calibration else "; name a text file with --calibration"
        raise ModelError(f"{text_path}: no readable calibration text ({error.__class__.__name__}){hint}") from None
    tensors = read_tensors(source, config)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ModelError(f"{source}: {name} holds NaN or infinity")
    amax = calibrate(config, tensors, TextTokenizer(source, config.vocab_size), text, progress)
    quantised = quantize_tensors(config, tensors, shared_amax(config, amax), progress)

    partial = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        partial.mkdir()
        weights = partial / "model.safetensors"
        save_file(quantised, weights, metadata={"format": "pt"})
        weights.chmod(0o644)  # save_file makes it readable by its owner alone
        new_config, hf_quant = quantization_configs(config, read_json(source / "config.json"))
        _write_json(partial / "config.json", new_config)
        _write_json(partial / "hf_quant_config.json", hf_quant)
        for name in COPIED:
            if (source / name).exists():
                shutil.copyfile(source / name, partial / name)
        read_tensors(partial, read_config(partial))  # what was written is what the loader wants
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sizes = {name: tensor.numel() * tensor.element_size() for name, tensor in quantised.items()}
    source_bytes = sum(tensors[name].numel() * 2 for name in expected_tensors(config))
    return {"source_bytes": source_bytes, "target_bytes": sum(sizes.values())}
