"""benchmarks/counters/ncu_compare.py: reading ncu's table, and which counters are judged."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[2] / "benchmarks" / "counters" / "ncu_compare.py"
_SPEC = importlib.util.spec_from_file_location("ncu_compare", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
ncu_compare = importlib.util.module_from_spec(_SPEC)
sys.modules["ncu_compare"] = ncu_compare
_SPEC.loader.exec_module(ncu_compare)

TABLE = """==PROF== Connected to process 12
gemm[m=8 "quoted"]
"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","twice(Params)","dram__bytes_read.sum","Mbyte","1.50"
"0","twice(Params)","l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum","sector","1,024"
"""
LOADS = "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"


def test_the_table_is_found_among_what_the_program_prints() -> None:
    rows = ncu_compare.parse_csv(TABLE)
    assert [row["Kernel Name"] for row in rows] == ["twice(Params)"] * 2
    assert [ncu_compare.value_of(row) for row in rows] == [1.5e6, 1024]


def test_a_run_without_a_table_shows_what_ncu_said() -> None:
    with pytest.raises(SystemExit, match="ERR_NVGPUCTRPERM"):
        ncu_compare.parse_csv("==ERROR== ERR_NVGPUCTRPERM\n")


def record(launches: int, **metrics: float) -> dict:
    return {"kernels": {"twice": {"launches": launches, "metrics": metrics}}}


def simulated(**counters: int) -> dict:
    return {"twice": {"launches": 2, "counters": {pair.ours: 0 for pair in ncu_compare.PAIRS} | counters}}


def test_only_counters_that_both_sides_have_are_compared() -> None:
    rows = ncu_compare.rows_of(
        record(2, **{LOADS: 1000.0, "dram__bytes_read.sum": 900.0}),
        simulated(global_load_sectors=1040, dram_read_bytes=960, tensor_inst=7),
    )
    assert [(row.counter, row.is_judged) for row in rows] == [
        ("global_load_sectors", True),
        ("dram_read_bytes", False),  # below the megabyte from which it is judged
    ]
    assert rows[0].error == pytest.approx(0.04)


def test_another_number_of_launches_is_another_program() -> None:
    with pytest.raises(SystemExit, match="launched 3 times on the GPU and 2 times"):
        ncu_compare.rows_of(record(3, **{LOADS: 1.0}), simulated(global_load_sectors=1))


def test_the_first_known_name_of_a_metric_is_asked_for() -> None:
    pair = next(pair for pair in ncu_compare.PAIRS if pair.ours == "tensor_inst")
    assert ncu_compare.chosen_metrics(pair, {"sm__inst_executed_pipe_tensor"}) == ["sm__inst_executed_pipe_tensor.sum"]
