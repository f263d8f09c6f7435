"""NVFP4 GEMM on a GPU beside cuBLAS BF16 and a kernel that only reads the weights, in one run.

    python benchmarks/gemm/gpu.py --out rows.json [--tokens 1,8,32] [--shapes 4096x4096,512x7168]

Needs the built package, PyTorch with CUDA and CuPy. Cold: 256 MB are overwritten before each call, events round one
call, ours and cuBLAS in turn; warm: 20 calls in one CUDA graph, whose weights stay in L2 where they fit. Medians. On a
Hopper GPU the FP4 instruction is emulated (the proving build), which is nothing to compare at many tokens.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import b12x.gemm
import cupy
import torch

# N x K: layer sizes, then those of 0.7.2's benchmark_dense_gemm.py.
SHAPES = (
    (4096, 4096),
    (14336, 4096),
    (4096, 14336),
    (8192, 28672),
    (512, 7168),
    (4608, 4096),
    (3072, 4096),
    (4096, 2048),
    (512, 4096),
    (4096, 256),
)
READ = r"""
extern "C" __global__ void read_only(const float4* p, float* out, long n) {
  float4 a = {0, 0, 0, 0};
  long i = blockIdx.x * (long)blockDim.x + threadIdx.x, step = (long)gridDim.x * blockDim.x;
  for (; i + 3 * step < n; i += 4 * step) {
    float4 b = __ldcs(p + i), c = __ldcs(p + i + step), d = __ldcs(p + i + 2 * step), e = __ldcs(p + i + 3 * step);
    a.x += b.x + c.x + d.x + e.x; a.y += b.y + c.y + d.y + e.y;
    a.z += b.z + c.z + d.z + e.z; a.w += b.w + c.w + d.w + e.w;
  }
  for (; i < n; i += step) a.x += p[i].x;
  if (a.x + a.y + a.z + a.w == 1.2345f) out[0] = a.x;
}"""


def event_us(call: Callable[[], object], calls: int = 1) -> float:
    """Microseconds of one call between two events."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) * 1e3 / calls


def time_all(calls: dict[str, Callable[[], object]], repeats: int = 25) -> dict[str, tuple[float, float]]:
    """(cold, warm) microseconds of each call, taken in turn."""
    flush = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    stream = torch.cuda.Stream()
    graphs = {}
    with torch.cuda.stream(stream):
        for call in calls.values():
            for _ in range(3):
                call()
        torch.cuda.synchronize()
        for name, call in calls.items():
            graphs[name] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[name], stream=stream):
                for _ in range(20):
                    call()
        cold: dict[str, list[float]] = {name: [] for name in calls}
        warm: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(repeats):
            for name, call in calls.items():
                flush.zero_()
                cold[name].append(event_us(call))
        for _ in range(6):
            for name, graph in graphs.items():
                warm[name].append(event_us(graph.replay, 20))
    return {name: (statistics.median(cold[name]), statistics.median(warm[name])) for name in calls}


def operand(rows: int, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random codes, and scales between 2^-2 and 2^1."""
    packed = torch.randint(0, 256, (rows, k // 2), dtype=torch.uint8, device="cuda")
    size = (rows + 127) // 128 * 128 * ((k // 16 + 3) // 4 * 4)
    return packed, torch.randint(0x28, 0x40, (size,), dtype=torch.uint8, device="cuda")


def values(packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The dequantised operand in float32."""
    rows, k = packed.shape[0], 2 * packed.shape[1]
    table = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], device="cuda")
    codes = torch.stack([packed & 15, packed >> 4], -1).reshape(rows, k)
    blocks = scales.view(torch.float8_e4m3fn).float()
    atoms = (
        blocks.reshape((rows + 127) // 128, -1, 32, 4, 4).permute(0, 3, 2, 1, 4).reshape((rows + 127) // 128 * 128, -1)
    )
    return table[codes.long()] * atoms[:rows, : k // 16].repeat_interleave(16, 1)


def measure(m: int, n: int, k: int, read: cupy.RawKernel) -> dict:
    """One row."""
    a, a_scales = operand(m, k)
    b, b_scales = operand(n, k)
    alpha = torch.full((1,), 2.0**-6, device="cuda")
    out = torch.empty(m, n, dtype=torch.bfloat16, device="cuda")
    x, w = (torch.randn(rows, k, dtype=torch.bfloat16, device="cuda") for rows in (m, n))
    y = torch.empty_like(out)
    count = n * k * 9 // 16 // 16
    weights, sink = cupy.zeros(count * 4, cupy.float32), cupy.zeros(1, cupy.float32)

    def ours() -> None:
        b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha, out=out)

    def floor() -> None:
        with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
            read((132 * 8,), (256,), (weights, sink, cupy.int64(count)))

    ours()
    want = values(a, a_scales).double() @ values(b, b_scales).double().T * 2.0**-6
    error = ((out.double() - want).norm() / want.norm()).item()
    times = time_all({"b12x": ours, "cublas_bf16": lambda: torch.mm(x, w.T, out=y), "read": floor})
    row = {"m": m, "n": n, "k": k, "relative_error": error, "weight_bytes": n * k * 9 // 16}
    for name, (cold, warm) in times.items():
        row[f"{name}_cold_us"], row[f"{name}_warm_us"] = round(cold, 2), round(warm, 2)
    row["cold_ratio"] = round(times["cublas_bf16"][0] / times["b12x"][0], 3)
    row["warm_ratio"] = round(times["cublas_bf16"][1] / times["b12x"][1], 3)
    return row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tokens", default="1,2,4,8,16,32")
    parser.add_argument("--shapes", default=",".join(f"{n}x{k}" for n, k in SHAPES))
    parser.add_argument("--commit", default="unknown")
    options = parser.parse_args()
    read = cupy.RawModule(code=READ).get_function("read_only")
    rows = []
    print("     m      n      k   b12x cold/warm   cuBLAS cold/warm   read cold/warm     ratio cold/warm  error")
    for n, k in (tuple(int(v) for v in shape.split("x")) for shape in options.shapes.split(",")):
        for m in (int(v) for v in options.tokens.split(",")):
            row = measure(m, n, k, read)
            rows.append(row)
            cells = [
                f"{row[f'{name}_cold_us']:7.2f} {row[f'{name}_warm_us']:7.2f}"
                for name in ("b12x", "cublas_bf16", "read")
            ]
            ratio = f"{row['cold_ratio']:6.2f} {row['warm_ratio']:6.2f}"
            print(f"{m:6d} {n:6d} {k:6d}  {'   '.join(cells)}   {ratio}  {row['relative_error']:.1e}", flush=True)
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for kind in ("cold", "warm"):
        chosen = [row[f"{kind}_ratio"] for row in rows if row["m"] <= 32 and row["n"] * row["k"] >= 16 << 20]
        if chosen:
            mean = statistics.geometric_mean(chosen)
            print(f"m <= 32, n k >= 16 M, {kind}: geometric mean {mean:.3f}, least {min(chosen):.3f}")
    if options.out is not None:
        record = {
            "device": torch.cuda.get_device_name(),
            "driver": driver,
            "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
            "commit": options.commit,
            "torch": torch.__version__,
            "command": "python benchmarks/gemm/gpu.py",
            "rows": rows,
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
