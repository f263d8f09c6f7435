"""How times of a GPU are taken. All that is compared is timed in one call, in turn, and medians are returned.

cold, `after_flush`: 256 MB are overwritten, more than any L2 of the cards that we know, the GPU is kept busy until the
    host has certainly queued what follows, then one call runs between two events. So a call pays its launch on the GPU
    but not the host's delays, and finds nothing of its own in L2.
cold, `on_own_memory`: a graph of calls, each on memory of its own, together four times the L2 or more; its time over
    their number. No launch is paid for, which is what a comparison of bytes a second wants.
warm, `in_graph`: 20 calls on the same memory in one graph; its time over 20. Weights stay in L2 where they fit.

Every call is made three times before anything is timed or captured: kernels are loaded, workspaces exist. Rounds are
fewer where they take long, three at least; a median of them is one number, the clocks are the GPU's own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import torch

Call = Callable[[], object]

FLUSH_BYTES = 256 << 20
BUSY_CYCLES = 1_000_000  # half a millisecond; a call takes the host 20 to 100 us
GRAPH_CALLS = 20
WARM_UP = 3
MOST_ROUNDS = 25
SECONDS = 2.0  # that the rounds of one kind may take, roughly


def event_us(call: Call) -> float:
    """Microseconds of one call between two events of the current stream."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) * 1e3


def rounds_for(us: float) -> int:
    """How many rounds of `us` microseconds are made."""
    return int(min(MOST_ROUNDS, max(3, SECONDS * 1e6 / max(us, 1.0))))


def _medians(calls: Mapping[str, Call], before: Call) -> dict[str, float]:
    """Median microseconds of each, taken in turn, after a round that does not count."""

    def one_round() -> dict[str, float]:
        times = {}
        for name, call in calls.items():
            before()
            times[name] = event_us(call)
        return times

    rounds = [one_round() for _ in range(rounds_for(sum(one_round().values())))]
    return {name: statistics.median(times[name] for times in rounds) for name in calls}


def captured(calls: Sequence[Call], stream: torch.cuda.Stream, is_apart: bool) -> torch.cuda.CUDAGraph:
    """A graph of the calls. is_apart: what they return is kept to its end, so that no two of them share an output."""
    graph, kept = torch.cuda.CUDAGraph(), []
    with torch.cuda.graph(graph, stream=stream):
        for call in calls:
            result = call()
            if is_apart:
                kept.append(result)
            del result  # its memory is the next call's
    return graph


def _warm_up(calls: Sequence[Call]) -> None:
    for call in calls:
        for _ in range(WARM_UP):
            call()
    torch.cuda.synchronize()


def after_flush(calls: Mapping[str, Call]) -> dict[str, float]:
    """Cold microseconds of each call, launch included."""
    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")

    def before() -> None:
        flush.zero_()
        torch.cuda._sleep(BUSY_CYCLES)

    with torch.cuda.stream(torch.cuda.Stream()):
        _warm_up(list(calls.values()))
        return _medians(calls, before)


def in_graph(calls: Mapping[str, Call]) -> dict[str, float]:
    """Warm microseconds of each call."""
    return _of_graphs({name: [call] * GRAPH_CALLS for name, call in calls.items()}, is_apart=False)


def on_own_memory(calls: Mapping[str, Sequence[Call]]) -> dict[str, float]:
    """Cold microseconds of a call, without its launch: the calls of a name do the same on different memory."""
    return _of_graphs(calls, is_apart=True)


def _of_graphs(calls: Mapping[str, Sequence[Call]], is_apart: bool) -> dict[str, float]:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        _warm_up([each[0] for each in calls.values()])
        graphs = {name: captured(each, stream, is_apart) for name, each in calls.items()}
        times = _medians({name: graph.replay for name, graph in graphs.items()}, lambda: None)
    return {name: us / len(calls[name]) for name, us in times.items()}
