"""The mutator on single instructions: which alterations it makes, and what their text is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutants import mutants
from survivors import rule_for


def altered(*lines: str) -> dict[str, str]:
    """Operator -> the line that it leaves of the first instruction."""
    text = "\n".join(lines)
    return {m.operator: m.text.split("\n")[m.line - 1] for m in mutants("k", text)}


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (
            "mbarrier.init.shared.b64 [%r1], 4;",
            {
                "init deleted": "",
                "init count + 1": "mbarrier.init.shared.b64 [%r1], 5;",
                "init count - 1": "mbarrier.init.shared.b64 [%r1], 3;",
            },
        ),
        (
            "@%p1 bar.sync 0;",
            {"barrier deleted": ""},
        ),
        (
            "barrier.cta.sync.aligned 1, 256;",
            {
                "barrier deleted": "",
                "barrier count + 32": "barrier.cta.sync.aligned 1, 288;",
                "barrier count - 32": "barrier.cta.sync.aligned 1, 224;",
            },
        ),
        (
            "cp.async.bulk.wait_group 1;",
            {
                "wait_group deleted": "",
                "wait_group n + 1": "cp.async.bulk.wait_group 2;",
                "wait_group -> .read": "cp.async.bulk.wait_group.read 1;",
            },
        ),
        (
            "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r1];",
            {
                "arrive deleted": "",
                "arrive without .noinc": "cp.async.mbarrier.arrive.shared::cta.b64 [%r1];",
            },
        ),
        ("membar.gl;", {"fence deleted": "", "scope cta": "membar.cta;"}),
        (
            "fence.acq_rel.gpu;",
            {"fence deleted": "", "scope cta": "fence.acq_rel.cta;"},
        ),
        (
            "st.release.gpu.global.u32 [%rd1], %r1;",
            {
                "scope cta": "st.release.cta.global.u32 [%rd1], %r1;",
                "release -> weak": "st.global.u32 [%rd1], %r1;",
            },
        ),
        (
            "ld.acquire.gpu.global.u32 %r1, [%rd1];",
            {
                "scope cta": "ld.acquire.cta.global.u32 %r1, [%rd1];",
                "acquire -> weak": "ld.global.u32 %r1, [%rd1];",
            },
        ),
        (
            "atom.acq_rel.gpu.global.add.u32 %r1, [%rd1], 1;",
            {
                "scope cta": "atom.acq_rel.cta.global.add.u32 %r1, [%rd1], 1;",
                "acq_rel -> relaxed": "atom.relaxed.gpu.global.add.u32 %r1, [%rd1], 1;",
            },
        ),
        ("griddepcontrol.wait;", {"griddepcontrol.wait deleted": ""}),
        ("elect.sync _|%p1, -1;", {"every lane elected": "setp.eq.u32 %p1, 0, 0;"}),
        ("ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%r5+16];", {}),
        ("griddepcontrol.launch_dependents;", {}),
    ],
)
def test_alterations(line: str, want: dict[str, str]) -> None:
    assert altered(line) == want


def test_a_wait_passes_and_flips_its_parity() -> None:
    lines = altered("mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r1], %r2;")
    assert lines["wait deleted"] == "setp.eq.u32 %p1, 0, 0;"
    assert lines["parity flipped"] == (
        "{ .reg .b32 %mutated; xor.b32 %mutated, %r2, 1; "
        "mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r1], %mutated; }"
    )


def test_a_proxy_fence_moves_behind_the_next_arrival() -> None:
    fence, arrive = "fence.proxy.async;", "mbarrier.arrive.shared::cta.b64 %rd1, [%r1];"
    moved = next(
        m for m in mutants("k", f"{fence}\nadd.u32 %r2, %r2, 1;\n{arrive}") if m.operator.startswith("fence m")
    )
    assert moved.text.split("\n") == ["", "add.u32 %r2, %r2, 1;", f"{arrive} {fence}"]


def test_a_barrier_takes_the_id_of_another() -> None:
    assert altered("barrier.cta.sync 1, 64;", "barrier.cta.sync 2, 64;")["barrier id 1"] == "barrier.cta.sync 1, 64;"


def test_mutants_name_the_source_of_their_instruction() -> None:
    text = '.loc 1 40 3\nbar.sync 0;\n.file 1 "kernels/a.cuh"'
    (mutant,) = mutants("k", text)
    assert (mutant.name, mutant.place) == ("k:2:barrier deleted", "kernels/a.cuh:40")


def test_mutants_name_the_functions_that_they_were_inlined_from() -> None:
    lines = (
        ".loc 1 8 3, function_name $L__info_string0, inlined_at 2 30 5",
        ".loc 3 40 3, function_name $L__info_string1, inlined_at 1 8 3",
        "bar.sync 0;",
        "$L__info_string0:\n.b8 119\n.b8 97\n.b8 0",
        "$L__info_string1:\n.b8 98\n.b8 0",
    )
    (mutant,) = mutants("k", "\n".join(lines))
    assert mutant.within == "b < wa"


def test_a_rule_may_ask_for_what_stands_next_to_the_instruction() -> None:
    doubled = list(mutants("dense_k", "bar.sync 0;\n// here\nbar.sync 0;\nret;"))
    alone = list(mutants("dense_k", "add.s32 %r1, %r1, 1;\nbar.sync 0;\nret;"))
    assert [rule_for(m) is not None for m in doubled] == [True, True]
    assert [rule_for(m) for m in alone] == [None]


def test_a_kernel_has_no_mutants_in_the_others_of_its_module() -> None:
    one, other = (f".visible .entry {name}(\n{{\nbar.sync 0;\n}}" for name in ("one", "other"))
    found = mutants("other", f"{one}\n{other}\n")
    assert found
    assert {m.line for m in found} == {7}
