"""What the probes decide: the facts of the summary with the assumptions made before, and the text below each table.

Intervals and rates are per SM sub-partition unless they say SM. `names` are rows of probes.json; `combine` makes one
number of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _same(*values: float) -> float:
    return values[0]


def _difference(a: float, b: float) -> float:
    return a - b


@dataclass(frozen=True)
class Fact:
    """A line of the summary."""

    quantity: str
    names: tuple[str, ...]
    unit: str
    assumed: str
    decides: str
    combine: Callable[..., float] = _same


ASSUMED_INTERVALS = {
    "LOP3": "2",
    "PRMT": "2",
    "SHF": "2",
    "FMNMX": "2",
    "IMAD": "2, another pipe than LOP3",
    "FFMA": "1",
    "HMUL2": "1",
    "HFMA2": "1",
    "HFMA2_BF16": "1",
    "F2FP_UNPACK": "2, pipe unknown",
    "MUFU_EX2": "8",
    "MUFU_RCP": "8",
    "SHFL": "2",
}

FACTS = (
    Fact("LOP3 interval", ("pipes.interval.LOP3",), "clk", "2", "unpacking NVFP4 on Hopper: ALU or issue bound"),
    Fact("F2FP unpack e4m3x2 interval", ("pipes.interval.F2FP_UNPACK",), "clk", "2", "FP8 KV conversion; e2m1 as e4m3"),
    Fact(
        "LOP3 and F2FP unpack together",
        ("pipes.pair.LOP3+F2FP_UNPACK",),
        "clk",
        "2 to 4",
        "which NVFP4 unpacking sequence wins",
    ),
    Fact("HMUL2 interval", ("pipes.interval.HMUL2",), "clk", "1", "scales are applied by HMUL2"),
    Fact(
        "mma.sync, best interval",
        ("mma.interval.c2.w4",),
        "clk",
        "6.4",
        "compute ceiling of every kernel here on Hopper",
    ),
    Fact("mma.sync latency", ("mma.interval.c1.w1",), "clk", "29 to 33", "how many accumulators a warp must alternate"),
    Fact("mma.sync, all SMs", ("mma.rate.c4.w4",), "TFLOP/s", "620", "ceiling of prefill on Hopper"),
    Fact("LDSM.x4", ("shared.interval.LDSM_X4.w4",), "clk/SM", "4", "fragments per clk: 16 or 32 rows a warp"),
    Fact("one SM's pull from L2, loads", ("pull.one.loads.1024x4",), "B/clk", "50", "merge cost, small splits"),
    Fact("one SM's pull from L2, bulk copies", ("pull.one.bulk.16KBx6",), "B/clk", "50", "the same through the ring"),
    Fact("L2 hit", ("latency.load.l2",), "clk", "263", "time model"),
    Fact("DRAM miss", ("latency.load.dram",), "clk", "about 1400", "first bytes of a cold kernel"),
    Fact("store, fence, atomic: round trip", ("order.fence.gpu+atom",), "clk", "–", "what a block pays to publish"),
    Fact(
        "publish until another block sees it", ("publish.hop.66",), "clk", "about 1700", "A3, D1: cost of a hand-over"
    ),
    Fact(
        "merge of 32 x 8 KB by the last block",
        ("merge.last.32", "merge.none.32"),
        "us",
        "3.6",
        "A3: last arriver or slices",
        _difference,
    ),
    Fact(
        "merge of 32 x 8 KB by slices",
        ("merge.slices.32", "merge.none.32"),
        "us",
        "1.4",
        "A3: last arriver or slices",
        _difference,
    ),
    Fact("cluster barrier, 8 blocks", ("cluster.barrier.8",), "clk", "371", "A3: merge within a cluster"),
    Fact("read from a peer's shared memory", ("cluster.read.8",), "clk", "180 to 220", "A3: merge within a cluster"),
    Fact("empty launch, cold", ("launch.cold.plain.132",), "us", "2.9", "fixed part of every cold claim"),
    Fact(
        "cooperative launch, extra in a chain",
        ("launch.chain.eager.cooperative.132.work", "launch.chain.eager.plain.132.work"),
        "us",
        "unknown",
        "D1: one launch with counters or two with PDL",
        _difference,
    ),
    Fact(
        "PDL, saved per kernel of a chain",
        ("launch.chain.graph.plain.132.work", "launch.chain.graph.pdl.132.work"),
        "us",
        "about 1",
        "D1, F7: PDL pair",
        _difference,
    ),
    Fact(
        "cold fetch of 16 KB of code, all SMs",
        ("icache.cold.16.132", "icache.second.16.132"),
        "clk",
        "–",
        "A2: how large a kernel may be",
        _difference,
    ),
)

TEXT: dict[str, str] = {}
