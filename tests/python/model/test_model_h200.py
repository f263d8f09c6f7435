"""The bundled model on the simulator against what tests/calibration/model_logits.py recorded on a real H200."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests" / "calibration" / "model_logits.py"
RECORDED = ROOT / "tests" / "calibration" / "data" / "h200_model.npz"
sys.path.insert(0, str(PROGRAM.parent))

from model_logits import lowest_cosine  # noqa: E402


@pytest.mark.parametrize(
    ("card", "floor"),
    [
        ("h200", 0.999999),  # the same PTX: kernels agree bit for bit, PyTorch's attention and norms to rounding
        ("rtx-pro-6000", 0.9999),  # block-scaled MMA against the f16 stand-in: accumulation rounds differently
    ],
)
def test_logits_agree_with_silicon(card: str, floor: float, tmp_path: Path) -> None:
    out = tmp_path / "answers.npz"
    environment = os.environ | {"B12X_SIM_GPU": card, "B12X_DRIVER": "sim"}
    subprocess.run([sys.executable, PROGRAM, "record", out], check=True, env=environment, stdout=subprocess.DEVNULL)
    ours, theirs = np.load(out), np.load(RECORDED)
    assert str(theirs["device"]) == "NVIDIA H200"
    assert ours["logits"].shape == theirs["logits"].shape == (64, 2048)
    assert lowest_cosine(ours["logits"], theirs["logits"]) >= floor
