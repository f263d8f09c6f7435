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


def _last_rate(us_128: float, us_64: float) -> float:
    """B/clk at 1.977 GHz by which the last block reads 64 more partials of 8 KB."""
    return 64 * 8192 / ((us_128 - us_64) * 1977)


def _boundary(us: float) -> float:
    """What a kernel of 4000 clk at 1.977 GHz adds to a chain beyond its work."""
    return us - 4000 / 1977


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
    Fact(
        "LOP3 interval", ("pipes.interval.LOP3",), "clk", "2", "unpacking NVFP4 is bound by the ALU pipe, not by issue"
    ),
    Fact("F2FP unpack e4m3x2 interval", ("pipes.interval.F2FP_UNPACK",), "clk", "2, pipe unknown", "FP8 KV conversion"),
    Fact(
        "LOP3 and F2FP unpack",
        ("pipes.pair.LOP3+F2FP_UNPACK",),
        "clk a pair",
        "2 to 4",
        "one pipe: expanding e2m1 by F2FP gains nothing over LOP3/PRMT",
    ),
    Fact(
        "LOP3 and HMUL2",
        ("pipes.pair.LOP3+HMUL2",),
        "clk a pair",
        "2",
        "scaling by HMUL2 is not hidden behind the unpacking: 1 clk each",
    ),
    Fact(
        "mma.sync, best interval",
        ("mma.interval.c2.w2",),
        "clk",
        "6.4",
        "reached by 2 warps of 2 chains, or 4 warps of 1",
    ),
    Fact("mma.sync latency", ("mma.interval.c1.w1",), "clk", "29 to 33", "a lone warp needs 4 accumulators"),
    Fact("mma.sync, all SMs", ("mma.rate.c6.w4",), "TFLOP/s", "620", "ceiling of prefill on Hopper"),
    Fact("LDSM.x4", ("shared.interval.LDSM_X4.w4",), "clk of the SM", "4", "16 or 32 query rows a warp: as planned"),
    Fact("one SM's pull from L2, loads", ("pull.one.loads.1024x4",), "B/clk", "50", "one SM alone; 64 KB in flight"),
    Fact("one of 132 SMs that all pull", ("pull.all.loads.1024x4",), "B/clk", "–", "L2's own limit: 8.3 TB/s"),
    Fact(
        "last block reads fresh partials",
        ("merge.last.128", "merge.last.64"),
        "B/clk",
        "50",
        "a merge by one block: 7.3 µs for 512 KB",
        _last_rate,
    ),
    Fact("one thread's loop of 4 KB bulk copies", ("pull.one.bulk.4KBx16",), "B/clk", "–", "stages of 8 KB and more"),
    Fact("L2 hit", ("latency.load.l2",), "clk", "263", "time model"),
    Fact("DRAM miss, load", ("latency.load.dram",), "clk", "–", "time model; idle memory"),
    Fact(
        "DRAM miss, bulk copy of 8 KB", ("latency.bulk.8192.dram",), "clk", "1480 (0.75 µs)", "first bytes of a kernel"
    ),
    Fact("fence.gpu and atomic after a store", ("order.fence.gpu+atom",), "clk", "–", "what a block pays to publish"),
    Fact(
        "publish until another block sees it",
        ("publish.hop.16",),
        "clk",
        "1780 (0.9 µs)",
        "a hand-over between blocks: 0.53 to 0.68 µs",
    ),
    Fact("barrier of 128 blocks", ("publish.barrier.128.0",), "clk", "1780 (0.9 µs)", "dearer than a PDL boundary"),
    Fact(
        "merge of 8 partials by the last block",
        ("merge.last.8", "merge.none.8"),
        "µs",
        "1.6",
        "slices from 8 splits on",
        _difference,
    ),
    Fact(
        "merge of 8 partials by slices",
        ("merge.slices.8", "merge.none.8"),
        "µs",
        "1.4",
        "slices from 8 splits on",
        _difference,
    ),
    Fact(
        "merge of 32 partials by the last block",
        ("merge.last.32", "merge.none.32"),
        "µs",
        "3.6",
        "never so",
        _difference,
    ),
    Fact(
        "merge of 32 partials by slices",
        ("merge.slices.32", "merge.none.32"),
        "µs",
        "1.4",
        "the rule for wide splits",
        _difference,
    ),
    Fact(
        "merge of 16 partials in a cluster",
        ("merge.cluster.16", "merge.none.16"),
        "µs",
        "0.45",
        "no gain over slices: no clusters in decode",
        _difference,
    ),
    Fact("cluster barrier, 8 blocks", ("cluster.barrier.8",), "clk", "371", "as above"),
    Fact("read from a peer's shared memory", ("cluster.read.8",), "clk", "180 to 220", "as above"),
    Fact("empty launch, cold", ("launch.cold.plain.132",), "µs", "2.9", "fixed part of every cold claim"),
    Fact(
        "cooperative launch, extra, eager",
        ("launch.chain.eager.cooperative.132.work", "launch.chain.eager.plain.132.work"),
        "µs",
        "unknown",
        "free",
        _difference,
    ),
    Fact(
        "cooperative launch, extra, in a graph",
        ("launch.chain.graph.cooperative.132.work", "launch.chain.graph.plain.132.work"),
        "µs",
        "unknown",
        "what a one-launch form has to earn",
        _difference,
    ),
    Fact(
        "kernel boundary in a graph",
        ("launch.chain.graph.plain.132.work",),
        "µs",
        "–",
        "two launches without PDL",
        _boundary,
    ),
    Fact(
        "kernel boundary in a graph, PDL",
        ("launch.chain.graph.pdl.132.work",),
        "µs",
        "0.8 to 1.2",
        "two launches with PDL before one with a barrier",
        _boundary,
    ),
    Fact(
        "kernel boundary, eager",
        ("launch.chain.eager.plain.132.work",),
        "µs",
        "–",
        "two launches without PDL",
        _boundary,
    ),
    Fact(
        "kernel boundary, eager, PDL",
        ("launch.chain.eager.pdl.132.work",),
        "µs",
        "0.8 to 1.2",
        "PDL is on by default",
        _boundary,
    ),
    Fact(
        "cold fetch of 16 KB of code, all SMs",
        ("icache.cold.16.132", "icache.second.16.132"),
        "clk",
        "–",
        "0.9 µs: first loads in the first 4 KB",
        _difference,
    ),
    Fact(
        "64 KB of code, second pass",
        ("icache.second.64.132",),
        "clk for 4096 instructions",
        "4096",
        "a loop body of 16 KB fetches nothing, one of 64 KB stalls",
    ),
)

TEXT: dict[str, str] = {
    "summary": """
What was assumed comes from the arithmetic that the kernels were designed with. What follows from the differences:

- **Merging attention splits.** The last block to arrive merges up to 4 splits (1.0 µs against 1.2 by slices); from 8
  on every block waits for the row and merges its slice (1.2 µs at 8, 1.5 at 32, 1.9 at 128, where the last block
  alone needs 1.5, 5.1 and 15.7). The limit had been 8. A cluster merges in the time of the slices at 4, 8 and 16
  splits, so decode needs neither clusters nor distributed shared memory. The cooperative launch that slices need is
  free when launched eagerly and costs 0.34 µs in a graph.
- **Unpacking NVFP4 on Hopper.** F2FP is on the pipe of LOP3, PRMT, SHF and FMNMX, at 2 clk. The form that expands
  e2m1 by F2FP (5.8 ALU instructions and 5 F2FP for 8 weights) and the form by masks and byte moves (9.8 and 1)
  therefore both take 10.8 turns of one pipe, 21.6 clk, of the 31 to 35 clk that DRAM leaves: a tie, the choice is by
  registers and code size. What the plan had not counted: HMUL2 does not hide behind it. By the measured pair four
  HMUL2 add about 4 clk, so the pipes are 73 to 82 % busy, not 62 to 70 %: still memory bound, with less to spare. A
  left shift as IMAD saves 0.8 clk, not 2. (The pairs had LOP3 with three registers; masks are immediates and may
  overlap better.)
- **MoE decode.** The boundary between two kernels with PDL is 0.25 µs in a graph and 0.38 µs eagerly, less than a
  barrier of 128 blocks (1.0 µs) or a hand-over by counter (0.5 to 0.7 µs). Two launches with PDL come first; one
  cooperative launch pays 0.34 µs in a graph before it gains anything, and can gain only by keeping DRAM busy across
  the boundary. The PDL figure is a lower bound: its kernels had nothing to flush and released the next one at their
  start.
- **Instruction caches.** Cold, 16 KB of straight code cost 0.9 µs more than fetched code does, 64 KB 4 µs; up to 4 KB
  cost nothing or 0.2 µs. So the first loads stand in the first 4 KB of a kernel, and kernels of one decode step stay
  near 16 KB.
- **Floors.** Cold, 2.9 µs (launch) + 0.9 µs (first bytes) + bytes / 4.5 TB/s describes the best reader within 4 %
  from 1 MB to 2 GB. Claims about memory-bound kernels are made against the table below.
- **The H100 beside it.** Pipes, latencies and tensor cores are the same within 3 %. What passes through L2 or the front
  end is dearer: fence and atomic by 35 %, a cluster barrier with its fence 2.3 times, every boundary between kernels by
  0.3 µs, an empty launch by 0.3 µs. Claims of ratios are measured on H100s, so short kernels carry that much more.
- **Tensor cores by mma.sync.** 6.0 to 6.1 clk and 650 TFLOP/s, 5 % above what was assumed. The latency is 24 clk: a
  lone warp of a sub-partition needs 4 accumulators, two warps 2 each.
""",
    "pipes": """
A warp instruction on 16 lanes takes 2 clk; loop and start add 7 % to all intervals here. LOP3, PRMT, SHF, IMAD, FFMA
and HFMA2 read three registers. Half of the HMUL2 and HFMA2 are compiled to HFMA2.MMA. Pairs on two pipes overlap only
in part: the warps issue in order, and register reads may bind. LOP3 + FFMA is no evidence of one pipe, since FFMA
overlaps with F2FP, which is on LOP3's pipe; why this pair does not overlap was not established, nor why FFMA alone
alternates between 1.07 and 1.58 clk. Plan with the measured pair, not with the two intervals. One step of MUFU RCP
holds a LOP3: its latency includes 4 clk (and a stall) of it. SHFL and MOVM take 4 clk, not 2.
""",
    "mma": """
With 3 or 4 warps of 4 to 6 chains the interval was 8 to 9 clk on one SM and the rate of all SMs in longer runs was
not lower than elsewhere; the cause was not established. Two warps a sub-partition never suffer from it. 650 TFLOP/s
of all SMs are 6.5 clk at 1.977 GHz, or 6.05 at a lower clock under that load: the clock was not read meanwhile.
""",
    "shared": """
128 bytes per clk for every width of 16 bytes a lane, transposed or not. Columns are warps per sub-partition.
Latencies include the IADD that makes the next address. The probe's last measurement, a latency of stores, made no
sense and stopped it with an error after all of these numbers; it is gone from the source.
""",
    "pull": """
One SM alone can draw 121 B/clk (240 GB/s) from lines that it read before, if 64 KB are in flight; all together draw
32 each. With bulk copies one thread's turn (wait, expect, copy, and the two clock reads that bound the wait) took 223
clk whatever the size, so that 16 KB a copy gave 73 B/clk: a producer thread that has to feed 18 B/clk (all of DRAM)
needs copies of 4 KB or more, or several producers. Partials that other SMs have just written come more slowly: 36
B/clk with 32 KB in flight, where lines read before come at 73.
""",
    "latency": """
Nothing else ran: under load DRAM takes longer. Every line `order.*` is a turn of a loop whose own cost is the first
line; `order.all` has one thread on each of 132 SMs and one counter, which costs the atomic nothing.
""",
    "boxes": """
The shape of a stage hardly matters: tall boxes of one line a row are 1 to 4 % behind boxes of 1 KB a row. Depth does
not pay beyond 4 stages of 16 KB, and makes SMs unequal: with 4 the slowest block of a long stream takes 1.07 times the
fastest one's time, with 12 up to 1.37, the same SMs each time. Equal parts therefore want shallow rings.
""",
    "floor": """
In parentheses: loads as blocks an SM x threads x 16-byte loads in flight, bulk copies as blocks an SM x copy x copies
in flight. MB are 2^20 bytes. An empty kernel takes 2.9 µs by the same clock. One kernel for all sizes, one block an
SM with 12 copies of 16 KB in flight, is within 7 % of the best everywhere when cold, and within 1 % from 64 MB on;
below 32 MB plain loads win by up to 7 %. With 16 to 32 MB in a warm L2 only the bulk copies read faster than from
DRAM; why the loads do not was not established.
""",
    "publish": """
A hop is half a round trip. Of the 1.8 µs of a barrier with data, writing 8 KB and reading 8 KB are 0.8 µs. The
merges' launches ran one at a time, eagerly.
""",
    "cluster": """
Each block reads from its neighbour with 1024 threads; 17 B/clk is half of what every SM can draw from L2 at once.
`barrier_relaxed` orders nothing; arrive.release and wait.acquire add a fence of the whole GPU (MEMBAR in SASS).
""",
    "launch": """
Chains are the difference of 80 and 16 kernels over 64, behind a kernel that hides the host; 4000 clk are 2.02 µs. The
PDL kernels let the next start at once and wait for the one before, so each boundary is the wait alone. Events resolve
32 ns.
""",
    "icache": """
One warp an SM issues 64 FFMA to the KB, so the KB cost 64 clk each where fetching is free. `cold`: other code ran and
L2 was scrubbed; `evicted`: other code ran; `again`: the launch before was the same kernel; `second`: the second pass
of one launch. Up to 16 KB stay near the sub-partition; 64 KB and 128 KB arrive at 2.2 to 2.8 clk an instruction even
when repeated; beyond 128 KB at 4.8 to 5.9. At 1 and 4 KB the first pass after a scrub is as fast as the second, so
the beginning of a kernel seems to be fetched before it starts.
""",
}
