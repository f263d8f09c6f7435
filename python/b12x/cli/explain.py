"""`b12x explain gemm M N K`: which kernel a GEMM gets on a card, what its launch does, and why no other was taken.

In: sizes, types and a card's name. Out: a table, or JSON. Planning is a pure function of these, so no GPU is needed and
nothing runs; all numbers are counted from shapes, registers are what the compiler reported.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from b12x._native import function

# Card, by the simulator's names -> SMs, the only thing that a plan depends on.
SMS = {"rtx-pro-6000": 188, "rtx-5090": 170, "rtx-5080": 84, "gb10": 48, "h200": 132}

_PLAN = (
    "tile_m",
    "tile_n",
    "tile_k",
    "stages",
    "tiles",
    "shared_tiles",
    "blocks",
    "threads",
    "shared_bytes",
    "workspace_bytes",
)
_COST = ("mma_count", "useful_mma_count", "compulsory_bytes", "read_bytes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("op", choices=("gemm",), help="the operation")
    for name, text in (("m", "rows of A: tokens"), ("n", "rows of B: outputs"), ("k", "columns of both")):
        parser.add_argument(name, type=int, metavar=name.upper(), help=text)
    parser.add_argument("--l", type=int, default=1, help="batches (default: 1)")
    parser.add_argument("--out", default="bfloat16", choices=("bfloat16", "float16", "float32"), help="output type")
    parser.add_argument("--format", default="nvfp4", choices=("nvfp4", "mxfp4"), help="of both operands")
    parser.add_argument(
        "--a", default="uint8", choices=("uint8", "bfloat16", "float16"), help="type of A: packed, or quantised inside"
    )
    parser.add_argument("--gpu", default="rtx-pro-6000", choices=tuple(SMS), help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    record = explain_gemm(
        arguments.m, arguments.n, arguments.k, arguments.l, arguments.out, arguments.format, arguments.gpu, arguments.a
    )
    print(json.dumps(record, indent=1) if arguments.json else render(record))
    return 0


def explain_gemm(
    m: int,
    n: int,
    k: int,
    l: int,  # noqa: E741
    out: str,
    scale_format: str,
    gpu: str,
    a: str = "uint8",
) -> dict[str, Any]:
    """The chosen plan and all candidates. Raises ValueError for sizes that no kernel can do."""
    candidates: list[dict[str, Any]] = []
    for name, can_run, is_chosen, reason, plan in function("gemm_plans")(m, n, k, l, out, scale_format, a, SMS[gpu]):
        candidate = {"name": str(name), "can_run": bool(can_run), "chosen": bool(is_chosen), "reason": str(reason)}
        if plan is not None:
            kernel, line, sizes, costs, waves, balance = plan
            candidate |= {
                "kernel": str(kernel),
                "plan": str(line),
                "registers": int(function("kernel_registers")(kernel)),
            }
            candidate |= dict(zip(_PLAN, map(int, sizes), strict=True)) | dict(zip(_COST, map(int, costs), strict=True))
            candidate |= {"waves": float(waves), "balance": float(balance)}
        candidates.append(candidate)
    problem = {"m": m, "n": n, "k": k, "l": l, "a": a, "out": out, "format": scale_format}
    problem |= {"gpu": gpu, "sms": SMS[gpu]}
    return {"problem": problem, "chosen": next(c for c in candidates if c["chosen"]), "candidates": candidates}


def render(record: dict[str, Any]) -> str:
    """The record as text."""
    chosen, problem = record["chosen"], record["problem"]
    rows = {
        "tile": f"{chosen['tile_m']} x {chosen['tile_n']}, {chosen['tile_k']} k a stage, {chosen['stages']} stages",
        "blocks": f"{chosen['blocks']} of {chosen['threads']} threads on {problem['sms']} SMs",
        "shared memory": f"{chosen['shared_bytes']:,} bytes a block",
        "registers": f"{chosen['registers']} a thread at launch, of the SM120 build",
        "tiles": f"{chosen['tiles']:,}, {chosen['shared_tiles']:,} of them cut along k; {chosen['waves']:.2f} waves",
        "balance": f"{100 * chosen['balance']:.1f} % of what all SMs could do beside the busiest",
        "MMAs": f"{chosen['mma_count']:,}, {chosen['useful_mma_count']:,} without padding",
        "bytes": f"{chosen['compulsory_bytes']:,} compulsory, {chosen['read_bytes']:,} copied by blocks",
        "workspace": f"{chosen['workspace_bytes']:,} bytes",
    }
    lines = [chosen["plan"], ""]
    if problem["m"] == 0:
        lines = [chosen["plan"], "m is 0: a call returns without a launch", ""]
    lines += [f"  {name:14} {value}" for name, value in rows.items()]
    lines += ["", "candidates, the first that fits is taken:"]
    width = max(14, *(len(candidate["name"]) for candidate in record["candidates"]))
    for candidate in record["candidates"]:
        lines.append(f"  {'*' if candidate['chosen'] else ' '} {candidate['name']:{width}} {candidate['reason']}")
    return "\n".join(lines)
