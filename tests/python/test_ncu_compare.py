"""benchmarks/counters: ncu's table, which counters are judged, and the recorded numbers against the simulator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "counters"))

import ncu_compare
from kernel_code import checksums_of_module

ROOT = Path(__file__).resolve().parents[2]
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
    return {"kernels": {"twice": {"code": "c0de", "launches": launches, "metrics": metrics}}}


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


def test_the_tensor_pipe_is_not_judged_in_a_kernel_without_mma() -> None:
    measured = record(2, **{"smsp__inst_executed_pipe_tensor.sum": 64.0})
    assert not ncu_compare.rows_of(measured, simulated())[0].is_judged
    assert ncu_compare.rows_of(measured, simulated(tensor_inst=64))[0].is_judged


def test_kernels_that_cannot_be_compared_are_named() -> None:
    assert ncu_compare.stale(record(2), simulated(), {"twice": "c0de"}) == {}
    assert ncu_compare.stale(record(2), simulated(), {"twice": "bead"}) == {
        "twice": "has changed since it was measured"
    }
    assert ncu_compare.stale(record(2), {}, {}) == {"twice": "is in the record and not launched any more"}
    assert ncu_compare.stale({"kernels": {}}, simulated(), {}) == {"twice": "is not in the record"}


MODULE = """//
.version 9.5
.target sm_90a
.global .u32 _ZN48_INTERNAL_35c27ae3_17_twice_cu_75661ffb1xE;
.visible .entry one()
{
.loc 1 4 0
	add.u32 	%r1, %r1, 1;
}
.visible .entry two()
{
}
	.section .debug_str
"""


def test_a_kernels_checksum_is_of_its_instructions() -> None:
    first = checksums_of_module(MODULE)
    assert first.keys() == {"one", "two"}
    elsewhere = MODULE.replace("35c27ae3", "0").replace(".loc 1 4 0", ".loc 1 5 0").replace(", 1;", ", 1; // one")
    assert checksums_of_module(elsewhere) == first
    altered = checksums_of_module(MODULE.replace(", 1;", ", 2;"))
    assert altered["one"] != first["one"] and altered["two"] == first["two"]


def test_the_newest_record_of_a_gpu_agrees_with_the_simulated_card(capsys: pytest.CaptureFixture[str]) -> None:
    newest = max((ROOT / "benchmarks" / "results").glob("counters-ncu-*.json"), key=lambda path: path.stem[-10:])
    program = ROOT / "build" / "benchmarks" / "counter_kernels"
    arguments = argparse.Namespace(record=newest, program=program, gpu="h200", tolerance=0.05, table=None)
    assert ncu_compare.compare(arguments) == 0, capsys.readouterr().out
    kernels = {line.split("|")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("| b12x")}
    assert len(kernels) >= 6, "too many kernels have changed since: measure them again (docs/counters.md)"
