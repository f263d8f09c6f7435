"""What needs no extraction: the tensor core's sums, the repairs' edits, a recorded launch from files to a result."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from case import read_case
from device import Simulator, SimulatorError
from nvfp4 import Operand, exact_product, quantize, random_operand, swizzle, to_bf16
from repairs import NAMES, repaired

LIBRARY = Path(__file__).resolve().parents[3] / "build/simulator/libcuda.so.1"


def constant(code: int, scale: int) -> Operand:
    return Operand(np.full((1, 32), code * 17, np.uint8), np.full((1, 4), scale, np.uint8))


def test_products_of_small_numbers_are_exact() -> None:
    random = np.random.default_rng(1)
    a, b = random_operand(random, 3, 128, 0x30, 0x40), random_operand(random, 5, 128, 0x30, 0x40)
    assert np.array_equal(exact_product(a, b), (a.values() @ b.values().T).astype(np.float32))


def test_terms_are_cut_35_bits_below_the_largest_and_sums_towards_zero() -> None:
    one, tiny = constant(2, 0x38), constant(1, 0x01)  # 1 * 2^0; 1/2 * 2^-9
    # Chunk 1: 64 * 2^0. Chunk 2 adds 64 * 2^-20 = 2^-14 to 64: 2^-17 is the last bit of it, so it stays.
    kept = [np.concatenate(pair, 1) for pair in zip((one.packed, one.scales), (tiny.packed, tiny.scales), strict=True)]
    assert exact_product(Operand(*kept), Operand(*kept))[0, 0] == np.float32(64 + 2.0**-14)
    # 448 * 448 * 64 * 4 and as little as before: below the last bit of the sum, which is cut.
    big = constant(4, 0x7E)
    lost = [np.concatenate(pair, 1) for pair in zip((big.packed, big.scales), (tiny.packed, tiny.scales), strict=True)]
    assert exact_product(Operand(*lost), Operand(*lost))[0, 0] == np.float32(64 * 4 * 448.0**2)


def test_swizzled_scales_lie_where_the_formula_says() -> None:
    scales = np.arange(40 * 6, dtype=np.uint8).reshape(40, 6)
    flat = swizzle(scales)
    assert flat.size == 128 * 8
    for row, block in ((0, 0), (1, 3), (33, 5), (39, 2)):
        assert flat[block // 4 * 512 + row % 32 * 16 + row // 32 * 4 + block % 4] == scales[row, block]


def test_quantised_values_are_within_half_a_step() -> None:
    x = np.random.default_rng(2).standard_normal((4, 64)).astype(np.float32)
    gs = np.float32(np.abs(x).max() / 2600)
    assert np.abs(quantize(x, gs).values() * gs - x).max() <= np.abs(x).max() / 6 * 1.1


def test_bf16_rounds_to_even() -> None:
    assert to_bf16(np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 1.0], np.float32)).tolist() == [0x3F80, 0x3F82, 0x3F80]


TEXT = """\
\tsetp.ne.s32 \t%p1, %r1, 0;
\tbar.sync \t0;
\tmembar.gl;
\t@%p1 bra \t$L1;
\tmbarrier.arrive.release.cta.shared::cta.b64 _, [%r1], 1;
$L1:
\t@%p2 bra \t$L2;
\tcp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%rd3, {%r1, %r2}], [%r3];
$L2:
\tfence.proxy.async.shared::cta;
\t@%p3 bra \t$L3;
\tred.relaxed.gpu.global.add.noftz.bf16x2 [%rd1], %r4;
$L3:"""


def test_each_repair_edits_its_place_and_no_line_is_added() -> None:
    before, after = TEXT.split("\n"), repaired(TEXT.encode()).decode().split("\n")
    assert len(after) == len(before)
    assert {n for n, (x, y) in enumerate(zip(before, after, strict=True)) if x != y} == {0, 3, 6, 10}
    assert after[0].endswith("fence.proxy.async;")
    assert after[3].startswith("bar.warp.sync -1;")
    assert "elect.sync" in after[6]
    assert after[10].startswith("bar.sync 1, 128;")
    assert repaired(TEXT.encode(), frozenset(NAMES)).decode() == TEXT


PTX = """\
.version 9.0
.target sm_120a
.address_size 64
.visible .entry twice(.param .u64 data) {
  .reg .b64 %rd<4>; .reg .b32 %r<4>;
  ld.param.u64 %rd1, [data];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.u64 %rd1, %rd1, %rd2;
  ld.global.u32 %r2, [%rd1];
  add.u32 %r2, %r2, %r2;
  st.global.u32 [%rd1], %r2;
  ret;
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An extraction of one launch."""
    record = {
        "case": {"kind": "none"},
        "entry": "twice",
        "launch": {
            "grid": [1, 1, 1],
            "block": [32, 1, 1],
            "dynamic_smem": 0,
            "attributes": {"cluster_dim": [1, 1, 1], "cooperative": 0},
        },
        "params": [{"index": 0, "name": "data", "sample_hex": "00" * 8}],
    }
    (tmp_path / "one.json").write_text(json.dumps(record))
    (tmp_path / "one.ptx").write_text(PTX)
    return tmp_path


def test_a_recorded_launch_runs(folder: Path) -> None:
    case = read_case(folder, "one")
    simulator = Simulator(LIBRARY)
    simulator.options("all", "hostile", 1)
    address = simulator.allocate(128)
    simulator.upload(address, np.arange(32, dtype=np.uint32))
    function = simulator.load(case.ptx, case.launch.entry, 0)
    simulator.launch(function, case.launch, [address.to_bytes(8, "little")])
    assert simulator.findings() == []
    assert simulator.download(address, 128).view(np.uint32).tolist() == list(range(0, 64, 2))
    assert simulator.refusal(case.ptx, "twice") == ""
    assert "bfind.x32" in simulator.refusal(case.ptx.replace(b"add.u32", b"bfind.x32"), "twice")
    with pytest.raises(SimulatorError, match="error"):
        simulator.load(case.ptx, "thrice", 0)


def test_a_case_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="no case 'two'; it has: one"):
        read_case(folder, "two")
