"""The process in which cases run on the simulator: `python -m b12x.bench.worker`, started by b12x.bench.counted.

In: a line of JSON a case on stdin; the environment names the card. Out: a line of JSON a case on what was stdout: the
counters of one call with an empty L2, and the bytes that a second call reads from DRAM. The simulator reads its
settings once a process, so it cannot be the command's own.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

import torch

from b12x.bench.cases import GemmCase, LinearCase, QuantCase
from b12x.bench.inputs import Gemm, Linear, Quant
from b12x.sim.library import library_path


class Counters:
    """The simulator's counters of this process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(library_path()))
        self._library.simCountersJson.restype = ctypes.c_char_p

    def of(self, call: Gemm | Quant, is_l2_cold: bool) -> list[dict]:
        """Kernels of one call: docs/counters.md."""
        if is_l2_cold:
            self._library.simFlushL2()
        self._library.simResetCounters()
        call()
        return json.loads(self._library.simCountersJson())["kernels"]


def answer(counters: Counters, bench: str, case: dict) -> dict:
    if bench == "gemm":
        call: Gemm | Quant = Gemm(GemmCase(**case), "cpu")
    elif bench == "linear":
        call = Linear(LinearCase(**case), "cpu")
    else:
        call = Quant(QuantCase(**case), "cpu")
        if not call.is_right():
            raise RuntimeError(f"{call.case}: the kernel's bytes are not the reference's: not counted")
    (cold, *more), (warm, *_) = (counters.of(call, is_l2_cold) for is_l2_cold in (True, False))
    if more:
        raise RuntimeError(f"{case}: {len(more) + 1} launches, and one is counted: fewer tokens, or a smaller k")
    return {
        "kernel": cold["name"],
        "counters": cold["counters"],
        "sms": cold["sms"],
        "conflicts": {
            f"{line['file'].rsplit('/', 1)[-1]}:{line['line']}": line["counters"]["shared_conflicts"]
            for line in cold["lines"]
            if line["counters"].get("shared_conflicts")
        },
        "dram_read_warm_bytes": warm["counters"]["dram_read_bytes"],
    }


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get among the answers
    torch.set_num_threads(1)  # PyTorch's threads would take the cores from the simulator's
    torch.manual_seed(1)
    counters = Counters()
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(answer(counters, question["bench"], question["case"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
