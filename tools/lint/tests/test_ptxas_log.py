"""The reader of ptxas logs on lines that nvcc 13.5 printed."""

from __future__ import annotations

import sys

import ptxas_log

_LOG = """\
ptxas info    : Compiling entry function 'b12x_k' for 'sm_120f'
ptxas info    : Function properties for b12x_k
    {} bytes stack frame, {} bytes spill stores, {} bytes spill loads
ptxas info    : Used 14 registers, used 0 barriers
"""


def test_clean():
    assert ptxas_log.findings(_LOG.format(0, 0, 0)) == []


def test_spill_names_kernel_and_target():
    (finding,) = ptxas_log.findings(_LOG.format(16, 12, 8))
    assert finding == "b12x_k for sm_120f: spills 12 bytes of stores, 8 bytes of loads; want none"


def test_stack_frame():
    (finding,) = ptxas_log.findings(_LOG.format(32, 0, 0))
    assert "stack frame of 32 bytes" in finding


def test_setmaxnreg_ignored():
    warning = (
        "ptxas warning : (C7508) Potential Performance Loss: 'setmaxnreg' ignored to maintain minimum register count"
    )
    (finding,) = ptxas_log.findings(_LOG.format(0, 0, 0) + warning)
    assert "'setmaxnreg' ignored" in finding


def test_command_runs_and_its_log_is_kept(tmp_path):
    log = tmp_path / "k.log"
    say = f"print({_LOG.format(0, 4, 0)!r})"
    assert ptxas_log.main(["--log", str(log), "--", sys.executable, "-c", say]) == 1
    assert "4 bytes spill stores" in log.read_text()
    assert ptxas_log.main(["--log", str(log), "--", sys.executable, "-c", "print('fine')"]) == 0
    assert ptxas_log.main(["--log", str(log), "--", sys.executable, "-c", "raise SystemExit(3)"]) == 3
