"""b12x.runtime and the package's frame: drivers, statistics, errors that end a program, the first call of a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import b12x
import pytest
import torch

PACKAGE = Path(b12x.__file__).parent

QUANTISE = """
import numpy as np, b12x
packed, scales, gs = b12x.quant.quantize_nvfp4(np.ones((4, 64), np.float32))
assert (packed == 0x77).all()
"""


# tvm-ffi imports torch where it is installed, which takes seconds; these programs do without it.
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None\n"


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_statistics_count_what_ran() -> None:
    b12x.runtime.reset_kernel_stats()
    assert b12x.runtime.kernel_stats() == []
    for _ in range(2):
        b12x.quant.quantize_nvfp4(torch.ones(4, 64))
    stats = {row["name"]: row for row in b12x.runtime.kernel_stats()}
    assert set(stats) == {"b12x_nvfp4_amax_f32", "b12x_nvfp4_quantize_f32"}
    for row in stats.values():
        assert row["calls"] == 2
        assert row["instructions"] > 100
        assert 0 < row["seconds"] < 10


def test_device_names() -> None:
    assert b12x.runtime.device_name() == "simulated RTX PRO 6000"
    assert b12x.runtime.compute_capability() == 120
    with pytest.raises(ValueError, match="device is 'tpu', want 'cpu'"):
        b12x.runtime.device_name("tpu")
    result = run_python("import b12x; print(b12x.runtime.device_name())", B12X_SIM_GPU="h200")
    assert result.stdout.strip() == "simulated H200", result.stderr


def test_the_simulated_card_is_announced_once() -> None:
    result = run_python(QUANTISE * 2, B12X_SIM_GPU="rtx-pro-6000")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("running on the simulated RTX PRO 6000") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(("value", "place"), [("sim", "cpu"), (str(PACKAGE / "_lib" / "sim" / "libcuda.so.1"), "cpu")])
def test_driver_of_the_command_line(value: str, place: str) -> None:
    code = f"import b12x; assert b12x.runtime.select_driver() == {place!r}" + QUANTISE
    result = run_python(code, B12X_DRIVER=value)
    assert result.returncode == 0, result.stderr


def test_unknown_driver_path() -> None:
    result = run_python("import b12x; b12x.runtime.select_driver()", B12X_DRIVER="/nonexistent/libcuda.so.1")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert 'RuntimeError: driver "/nonexistent/libcuda.so.1": cannot open' in last
    assert 'a driver is "gpu", "sim" or the path of a libcuda.so.1' in last


def test_a_library_that_is_no_driver() -> None:
    with pytest.raises(RuntimeError, match=r"driver libm\.so\.6 has no cuInit: not a CUDA driver library"):
        b12x.runtime.select_driver("libm.so.6")


def test_no_gpu_is_an_error_when_one_is_asked_for() -> None:
    if torch.cuda.is_available():
        assert b12x.runtime.select_driver("gpu") == "cuda"
        return
    with pytest.raises(RuntimeError, match=r'driver "gpu": cannot open libcuda\.so\.1|cuInit|CUDA_ERROR'):
        b12x.runtime.select_driver("gpu")
    assert b12x.runtime.select_driver("auto") == "cpu"


def test_corrupt_fatbin(tmp_path: Path) -> None:
    """Every embedded image of a copy of the package loses its magic number."""
    copy = tmp_path / "b12x"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "model", "cli"))
    library = copy / "_lib" / "libb12x.so"
    data = library.read_bytes()
    magic = bytes.fromhex("50ed55ba01001000")
    assert data.count(magic) >= 10
    library.unlink()
    library.write_bytes(data.replace(magic, b"\0" * 4 + magic[4:]))
    result = run_python(QUANTISE, PYTHONPATH=str(tmp_path))
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "RuntimeError: kernel b12x_nvfp4_amax_f32: its embedded fatbin is corrupt: it starts with 0x0"
    )


def test_not_built(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "b12x", ignore=shutil.ignore_patterns("__pycache__", "_lib", "model", "cli"))
    result = run_python(QUANTISE, PYTHONPATH=str(tmp_path))
    assert result.returncode != 0
    assert "b12x is not built" in result.stderr.strip().splitlines()[-1]


def test_import_is_light() -> None:
    code = """
import sys, numpy, tvm_ffi
before = set(sys.modules)
import b12x
new = {name for name in set(sys.modules) - before if not name.startswith("b12x")}
assert new <= {"importlib._abc"}, new
assert "b12x.model" not in sys.modules and "b12x.gemm" not in sys.modules
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr


def test_first_kernel_of_a_cold_process() -> None:
    """From `import b12x` to the first finished kernel: at most 0.15 s on the simulator; the best of three processes."""
    code = """
import time, numpy as np, tvm_ffi
x = np.ones((4, 64), np.float32)
start = time.perf_counter()
import b12x
b12x.quant.quantize_nvfp4(x, 1.0)
print(time.perf_counter() - start)
"""
    seconds = []
    for _ in range(3):
        result = run_python(code)
        assert result.returncode == 0, result.stderr
        seconds.append(float(result.stdout))
    assert min(seconds) <= 0.15, seconds


def test_threads_may_share_tensors() -> None:
    x = torch.ones(64, 64)
    want = [part.clone() for part in b12x.quant.quantize_nvfp4(x)]
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: b12x.quant.quantize_nvfp4(x), range(16)):
            assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))
