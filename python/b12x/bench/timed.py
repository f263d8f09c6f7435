"""Rows of a GPU: times of ours beside what else one would run, in one run, in turn (b12x.bench.timing says how).

In: a case. Out: a row. GEMM: cuBLAS in BF16 (torch.mm), and the floor, which reads our weights' bytes and does nothing.
Linear: the quantiser and the GEMM as two launches, too. Quantisation: a device copy that moves as many bytes. Results
are checked before they are timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from b12x._native import function
from b12x.bench import timing
from b12x.bench.cases import GemmCase, LinearCase, QuantCase
from b12x.bench.floor import ReadOnly
from b12x.bench.inputs import Gemm, Linear, Quant, calls_of
from b12x.bench.record import Row

# Rounding to bf16 gives 1.7e-3, to f16 and f32 less.
MOST_ERROR = 4e-3


def _stream() -> int:
    return torch.cuda.current_stream().cuda_stream


def gemm_row(case: GemmCase) -> Row:
    """Microseconds of b12x, cuBLAS and the floor, cold and warm; ratios are cuBLAS over b12x."""
    return _product_row(case, Gemm(case, "cuda"), {})


def linear_row(case: LinearCase) -> Row:
    """The same of 16-bit activations, and of b12x in two launches: the quantiser, then the GEMM."""
    ours = Linear(case, "cuda")
    row = _product_row(case, ours, {"two_launches": ours.two_launches})
    for cache in ("cold", "warm"):
        row[f"{cache}_two_ratio"] = round(row[f"two_launches_{cache}_us"] / row[f"b12x_{cache}_us"], 3)
    return row


def _product_row(case: GemmCase, ours: Gemm, others: dict[str, Callable[[], None]]) -> Row:
    x, w = (torch.randn(rows, case.k, dtype=torch.bfloat16, device="cuda") for rows in (case.m, case.n))
    y = torch.empty(case.m, case.n, dtype=torch.bfloat16, device="cuda")
    weights = torch.zeros(case.weight_bytes, dtype=torch.uint8, device="cuda")
    sink = torch.zeros(1, dtype=torch.int32, device="cuda")
    _, _, sms, _, driver, _ = function("device_info")("cuda", torch.cuda.current_device())
    read = ReadOnly(str(driver), int(sms))

    ours()
    error = ours.relative_error()
    if not error < MOST_ERROR:
        raise RuntimeError(f"{case}: relative error is {error:.2e}, want less than {MOST_ERROR}: not timed")
    calls = {
        "b12x": ours,
        **others,
        "cublas_bf16": lambda: torch.mm(x, w.T, out=y),
        "read": lambda: read.launch(weights.data_ptr(), case.weight_bytes, sink.data_ptr(), _stream()),
    }
    cold, warm = timing.after_flush(calls), timing.in_graph(calls)
    row: Row = {"m": case.m, "n": case.n, "k": case.k, "out": case.out}
    row |= {"relative_error": error, "weight_bytes": case.weight_bytes}
    for name in calls:
        row |= {f"{name}_cold_us": round(cold[name], 2), f"{name}_warm_us": round(warm[name], 2)}
    row["cold_ratio"] = round(cold["cublas_bf16"] / cold["b12x"], 3)
    row["warm_ratio"] = round(warm["cublas_bf16"] / warm["b12x"], 3)
    return row


def quant_row(case: QuantCase) -> Row:
    """Microseconds and GB/s of the kernel and of the copy; ratios are the copy's time over the kernel's."""
    if not Quant(case, "cuda").is_right():
        raise RuntimeError(f"{case}: the kernel's bytes are not the reference's: not timed")
    l2_bytes = torch.cuda.get_device_properties("cuda").L2_cache_size
    count = max(1, math.ceil(4 * l2_bytes / case.bytes))
    half = max(256, case.bytes // 2 // 256 * 256)  # so that every copy is aligned
    source, target = (torch.zeros(count, half, dtype=torch.uint8, device="cuda") for _ in range(2))
    kernels = calls_of(case, "cuda", count)
    copies = [lambda i=i: target[i].copy_(source[i]) for i in range(count)]
    cold = timing.on_own_memory({"b12x": kernels, "copy": copies})
    warm = timing.in_graph({"b12x": kernels[0], "copy": copies[0]})
    row: Row = {"kind": case.kind, "dtype": case.dtype, "groups": case.groups, "rows": case.rows, "cols": case.cols}
    row["bytes"] = case.bytes
    for cache, times in (("cold", cold), ("warm", warm)):
        for name, us in times.items():
            row |= {f"{name}_{cache}_us": round(us, 2), f"{name}_{cache}_gb_s": round(case.bytes / us / 1e3, 1)}
        row[f"{cache}_ratio"] = round(times["copy"] / times["b12x"], 3)
    return row
