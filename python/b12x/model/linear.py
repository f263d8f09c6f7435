"""Linear layers of a quantised model, in two back ends with one interface.

In: activations [tokens, K]. Out: products [tokens, N].
`KernelBackend` runs b12x's kernels where its tensors lie: CPU tensors on the simulated card, CUDA tensors on their GPU.
`ReferenceBackend` is the oracle: plain PyTorch on the same quantised weights and activations. `DenseBackend`
computes in float32 with unquantised weights and can record what its layers are fed; calibration and the BF16 baseline
use it.
The idea: a forward pass quantises an input once and hands it to every layer that reads it, so `quantize` and `matmul`
are separate, and what lies between is opaque.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as fn

from b12x import gemm, quant
from b12x.model.config import ModelError
from b12x.quant import reference


@dataclass(frozen=True)
class Nvfp4Weight:
    """A matrix [N, K] as ModelOpt stores it; members of a fused group are stacked along N."""

    packed: Tensor  # uint8 [N, K/2]
    block_scales: Tensor  # float8_e4m3fn [N, K/16], row-major
    weight_scale: Tensor  # float32 scalar, weight_scale_2
    input_scale: Tensor  # float32 scalar, global scale of the inputs


def stack_weights(names: Sequence[str], tensors: dict[str, Tensor]) -> Nvfp4Weight:
    """The modules of a fused group as one matrix. Raises ModelError if their global scales differ."""
    for key in ("weight_scale_2", "input_scale"):
        values = [tensors[f"{name}.{key}"].item() for name in names]
        if len(set(values)) > 1:
            raise ModelError(
                f"{key} differs within {', '.join(names)}: {values}; one GEMM computes them, so they must share one "
                f"(ModelOpt and `b12x quantize` write it so)"
            )
    return Nvfp4Weight(
        torch.cat([tensors[f"{name}.weight"] for name in names]),
        torch.cat([tensors[f"{name}.weight_scale"] for name in names]),
        tensors[f"{names[0]}.weight_scale_2"],
        tensors[f"{names[0]}.input_scale"],
    )


class Backend(Protocol):
    """What the forward pass asks of linear layers. A layer handle comes from `prepare`, an input from `quantize`."""

    def prepare(self, names: Sequence[str], tensors: dict[str, Tensor]) -> Any:
        """A layer handle for the stacked modules `names`."""

    def quantize(self, x: Tensor, layer: Any) -> Any:
        """float32 [tokens, K] -> input of `layer`, and of any layer with the same input_scale."""

    def silu_mul_quantize(self, gate_up: Tensor, layer: Any) -> Any:
        """[tokens, 2K] = gate | up, as matmul gave it -> input of `layer`: silu(gate) * up."""

    def matmul(self, quantized: Any, layer: Any) -> Tensor:
        """[tokens, N]."""

    def input_scale(self, layer: Any) -> float:
        """The layer's input_scale: equal scales mean that a quantised input may be shared."""


@dataclass(frozen=True)
class _KernelLayer:
    packed: Tensor  # uint8 [N, K/2]
    scales: Tensor  # uint8, swizzled
    alpha: Tensor  # float32 [1]: weight_scale_2 * input_scale
    global_scale: Tensor  # float32 [1]: input_scale
    input_scale: float


class KernelBackend:
    """b12x's quantise and GEMM kernels; sums are rounded to bfloat16 once, at the end."""

    def __init__(self, device: str) -> None:
        self.device = device

    def prepare(self, names: Sequence[str], tensors: dict[str, Tensor]) -> _KernelLayer:
        w = stack_weights(names, tensors)
        return _KernelLayer(
            w.packed.contiguous().to(self.device),
            quant.swizzle_block_scale(w.block_scales).to(self.device),
            (w.weight_scale * w.input_scale).reshape(1).to(self.device),
            w.input_scale.reshape(1).to(self.device),
            w.input_scale.item(),
        )

    def quantize(self, x: Tensor, layer: _KernelLayer) -> tuple[Tensor, Tensor]:
        return quant.quantize_nvfp4(x, layer.global_scale)[:2]

    def silu_mul_quantize(self, gate_up: Tensor, layer: _KernelLayer) -> tuple[Tensor, Tensor]:
        return quant.silu_mul_quantize_nvfp4(gate_up, layer.global_scale, gate_first=True)[:2]

    def matmul(self, quantized: tuple[Tensor, Tensor], layer: _KernelLayer) -> Tensor:
        return gemm.nvfp4_gemm(*quantized, layer.packed, layer.scales, alpha=layer.alpha, out_dtype=torch.bfloat16)

    def input_scale(self, layer: _KernelLayer) -> float:
        return layer.input_scale


@dataclass(frozen=True)
class _ReferenceLayer:
    weight: Tensor  # float64 [N, K], dequantised
    global_scale: Tensor  # float32 scalar
    input_scale: float


class ReferenceBackend:
    """Products of dequantised weights and activations, summed exactly and stored as BF16 where the kernels store BF16.

    NVFP4 rounding is a step function: a last bit that differs puts a value on another step here and there, and from
    then on texts part. So the storage type is part of the model, and sums are float64: float32 sums of PyTorch miss the
    correctly rounded BF16 value three times as often as the kernels do (1.5e-4 against 0.5e-4 of all products).
    """

    def prepare(self, names: Sequence[str], tensors: dict[str, Tensor]) -> _ReferenceLayer:
        w = stack_weights(names, tensors)
        weight = reference.dequantize_nvfp4_reference(w.packed, w.block_scales, w.weight_scale)
        return _ReferenceLayer(weight.double(), w.input_scale, w.input_scale.item())

    def quantize(self, x: Tensor, layer: _ReferenceLayer) -> Tensor:
        return reference.fake_quantize(x, layer.global_scale)

    def silu_mul_quantize(self, gate_up: Tensor, layer: _ReferenceLayer) -> Tensor:
        gate, up = gate_up.float().chunk(2, -1)
        return reference.fake_quantize((fn.silu(gate) * up).bfloat16(), layer.global_scale)

    def matmul(self, quantized: Tensor, layer: _ReferenceLayer) -> Tensor:
        return fn.linear(quantized.double(), layer.weight).float().bfloat16()

    def input_scale(self, layer: _ReferenceLayer) -> float:
        return layer.input_scale


@dataclass(frozen=True)
class _DenseLayer:
    weight: Tensor  # float32 [N, K]
    names: tuple[str, ...]


class DenseBackend:
    """Float32 on BF16 weights, nothing quantised; `input_amax` collects the largest |input| of each module."""

    def __init__(self) -> None:
        self.input_amax: dict[str, float] = {}

    def prepare(self, names: Sequence[str], tensors: dict[str, Tensor]) -> _DenseLayer:
        return _DenseLayer(torch.cat([tensors[f"{name}.weight"] for name in names]).float(), tuple(names))

    def quantize(self, x: Tensor, layer: _DenseLayer) -> Tensor:
        largest = x.abs().amax().item() if x.numel() else 0.0
        for name in layer.names:
            self.input_amax[name] = max(self.input_amax.get(name, 0.0), largest)
        return x

    def silu_mul_quantize(self, gate_up: Tensor, layer: _DenseLayer) -> Tensor:
        gate, up = gate_up.chunk(2, -1)
        return self.quantize(fn.silu(gate) * up, layer)

    def matmul(self, quantized: Tensor, layer: _DenseLayer) -> Tensor:
        return fn.linear(quantized, layer.weight)

    def input_scale(self, layer: _DenseLayer) -> float:
        return 1.0
