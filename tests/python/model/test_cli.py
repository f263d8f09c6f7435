"""The command line as a user has it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from b12x.cli import main

B12X = Path(sys.executable).parent / "b12x"


def b12x(*arguments: object, driver: str = "sim") -> subprocess.CompletedProcess[str]:
    command = [str(B12X), *map(str, arguments)]
    environment = {**os.environ, "B12X_DRIVER": driver}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


def refused(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line]) == 1, result.stderr
    for part in parts:
        assert part in result.stderr


def test_generate_json(nvfp4_folder: Path) -> None:
    how = ("generate", "--model", nvfp4_folder, "--prompt", "In the", "--max-new-tokens", 3, "--json", "--seed", 4)
    first, second = b12x(*how), b12x(*how)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    assert set(result) == {"text", "tokens", "seconds", "device", "kernels"}
    assert isinstance(result["text"], str) and 0 <= result["tokens"] <= 3 and result["seconds"] > 0
    assert result["device"].startswith("simulated ")
    assert result["kernels"]
    for row in result["kernels"]:
        assert set(row) == {"name", "calls", "instructions", "share"}
        assert row["calls"] > 0 and row["instructions"] > 0 and 0 < row["share"] <= 1
    assert sum(row["share"] for row in result["kernels"]) == pytest.approx(1.0)
    assert {"gemm", "quantize", "silu"} <= {p for row in result["kernels"] for p in row["name"].split("_")}
    assert json.loads(second.stdout)["text"] == result["text"], "the seed decides"


def test_generate_text_and_table(nvfp4_folder: Path) -> None:
    result = b12x("generate", "--model", nvfp4_folder, "--prompt", "In the", "--max-new-tokens", 2, "--greedy")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("In the")
    for part in ("kernel", "calls", "share", "simulated"):
        assert part in result.stdout


def test_generate_refuses(edit_nvfp4, nvfp4_folder: Path, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.o_proj.weight"
    bad = edit_nvfp4.tensors(**{name: torch.zeros(64, 60, dtype=torch.uint8)})
    refused(b12x("generate", "--model", bad), name, "[64, 60]", "[64, 64]")
    refused(b12x("generate", "--model", tmp_path / "nowhere"), "nowhere", "no such model folder")
    driver = tmp_path / "libcuda.so.9"
    refused(b12x("generate", "--model", nvfp4_folder, driver=str(driver)), "libcuda.so.9")
    refused(b12x("generate", "--model", nvfp4_folder, "--max-new-tokens", 500), "exceed the model's 128 positions")


@pytest.mark.parametrize("options", ["--temperature 0", "--max-new-tokens -3", "--greedy --temperature 1"])
def test_generate_refuses_options(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["generate", *options.split()])
    assert caught.value.code == 2 and "error:" in capsys.readouterr().err


def test_quantize(bf16_folder: Path, nvfp4_folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    result = b12x("quantize", bf16_folder, target)
    assert result.returncode == 0, result.stderr
    assert "calibrate" in result.stderr and "quantise" in result.stderr
    assert (target / "model.safetensors").read_bytes() == (nvfp4_folder / "model.safetensors").read_bytes()
    refused(b12x("quantize", bf16_folder, target), "exists already")
    refused(b12x("quantize", nvfp4_folder, tmp_path / "other"), "is quantised already")
    assert not (tmp_path / "other").exists()


def test_help_needs_no_framework() -> None:
    code = "import sys, b12x.cli\ntry: b12x.cli.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"
