"""Rows of the simulator: what a case's kernel did, counted exactly. Nothing here is a time, or says one.

In: cases, a card. Out: rows. Bytes are set against what the case must read (operands once), MMAs against what would do
without padding, the work of the busiest SM against the mean.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from b12x.bench.cases import GemmCase, LinearCase, QuantCase
from b12x.bench.record import Row
from b12x.cli.explain import explain_gemm
from b12x.sim.library import Settings, environment

SECTOR_BYTES = 32


class Worker:
    """The process that runs cases on one card."""

    def __init__(self, gpu: str) -> None:
        variables = environment(Settings(gpu, check="none"), 0, {}) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "b12x.bench.worker"],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, bench: str, case: GemmCase | QuantCase) -> dict[str, Any]:
        """Raises RuntimeError with the worker's last words when it ends instead of answering."""
        process = self._process
        line = ""
        try:
            process.stdin.write(json.dumps({"bench": bench, "case": asdict(case)}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            pass
        if not line:
            words = process.stderr.read().strip().splitlines()
            raise RuntimeError(f"{case}: {words[-1] if words else 'the simulator ended without a word'}")
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def rows(bench: str, cases: Sequence[GemmCase | QuantCase], gpu: str) -> Iterator[Row]:
    """One row a case, in their order."""
    with Worker(gpu) as worker:
        for case in cases:
            answer = worker.ask(bench, case)
            yield quant_row(case, answer) if bench == "quant" else gemm_row(case, answer, gpu)


def gemm_row(case: GemmCase, answer: dict[str, Any], gpu: str) -> Row:
    is_linear = isinstance(case, LinearCase)
    plan = explain_gemm(case.m, case.n, case.k, 1, case.out, "nvfp4", gpu, case.out if is_linear else "uint8")
    chosen, counters = plan["chosen"], answer["counters"]
    busiest = max(sm["tensor_inst"] for sm in answer["sms"])
    row: Row = {"m": case.m, "n": case.n, "k": case.k, "out": case.out, "kernel": answer["kernel"]}
    row |= {"blocks": sum(sm["blocks"] for sm in answer["sms"]), "sms": len(answer["sms"])}
    row |= {"busy_sms": sum(sm["tensor_inst"] > 0 for sm in answer["sms"])}
    row["balance"] = round(counters["tensor_inst"] / (busiest * len(answer["sms"])), 4)
    row |= {"mma_count": counters["tensor_inst"], "useful_mma_count": chosen["useful_mma_count"]}
    row["operand_bytes"] = case.weight_bytes + case.m * case.k * (32 if is_linear else 9) // 16
    row["weight_bytes"] = case.weight_bytes
    row |= _memory(counters, answer)
    row["dram_read_ratio"] = round(counters["dram_read_bytes"] / row["operand_bytes"], 4)
    return row | {"counters": counters}


def quant_row(case: QuantCase, answer: dict[str, Any]) -> Row:
    counters = answer["counters"]
    busiest = max(sm["inst_executed"] for sm in answer["sms"])
    row: Row = {"kind": case.kind, "dtype": case.dtype, "groups": case.groups, "rows": case.rows, "cols": case.cols}
    row |= {"kernel": answer["kernel"], "blocks": sum(sm["blocks"] for sm in answer["sms"])}
    row |= {"sms": len(answer["sms"]), "busy_sms": sum(sm["inst_executed"] > 0 for sm in answer["sms"])}
    row["balance"] = round(counters["inst_executed"] / (busiest * len(answer["sms"])), 4)
    row |= {"bytes": case.bytes, "in_bytes": case.in_bytes, "out_bytes": case.out_bytes}
    row |= _memory(counters, answer)
    row["dram_read_ratio"] = round(counters["dram_read_bytes"] / case.in_bytes, 4)
    elements = case.groups * case.rows * case.cols
    row["inst_per_block"] = round(counters["inst_executed"] * 32 * 16 / elements, 1)
    return row | {"counters": counters}


def _memory(counters: dict[str, int], answer: dict[str, Any]) -> Row:
    return {
        "dram_read_cold_bytes": counters["dram_read_bytes"],
        "dram_read_warm_bytes": answer["dram_read_warm_bytes"],
        "l2_read_bytes": SECTOR_BYTES * counters["l2_read_sectors"],
        "l2_write_bytes": SECTOR_BYTES * counters["l2_write_sectors"],
        "shared_conflicts": counters["shared_conflicts"],
        "conflicts_by_line": answer["conflicts"],
        "inst_executed": counters["inst_executed"],
    }
