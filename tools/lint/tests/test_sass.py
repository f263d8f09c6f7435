"""Each rule of the SASS lint on disassembly made to break it, and on its nearest harmless neighbour."""

from __future__ import annotations

import sass
import sass_text


def disassembly(*lines: str, name: str = "b12x_k") -> str:
    """nvdisasm's form of one function: labels end with ':', everything else is an instruction."""
    text = [f'\t.section\t.text.{name},"ax",@progbits', f"{name}:", f".text.{name}:"]
    address = 0
    for line in lines:
        if line.endswith(":"):
            text.append(line)
        else:
            text.append(f"        /*{address:04x}*/                   {line} ;")
            address += 16
    return "\n".join(text) + "\n"


def attributes(name: str, frame: int) -> str:
    """The `.nv.info` block that tells a kernel's stack frame."""
    return "\n".join(
        [
            '\t.section\t.nv.info,"",@"SHT_CUDA_INFO"',
            "\t//----- nvinfo : EIATTR_MIN_STACK_SIZE",
            "        /*0024*/ \t.byte\t0x04, 0x12",
            f"        /*0028*/ \t.word\tindex@({name})",
            f"        /*002c*/ \t.word\t0x{frame:08x}",
            "",
        ]
    )


def test_clean_kernel_has_no_findings():
    text = attributes("b12x_k", 0) + disassembly(
        "LDC R1, c[0x0][0x37c]",
        "S2UR UR4, SR_CTAID.X",
        "LDCU.64 UR6, c[0x0][0x358]",
        "IMAD R2, R1, UR4, RZ",
        "LDG.E R3, desc[UR6][R2.64]",
        "CALL.REL.NOINC `($__internal_0_$__cuda_sm3x_div_rn_noftz_f32_slowpath)",
        "EXIT",
    )
    assert sass.lint_sass(text) == []


def test_instruction_parts():
    (function,), _ = sass_text.parse(disassembly("@!P0 LDCU.128 UR4, c[0x0][0x380]"))
    (instruction,) = function.instructions
    assert (instruction.guard, instruction.base, instruction.operands) == ("@!P0", "LDCU", ("UR4", "c[0x0][0x380]"))
    assert instruction.uniform_writes() == {4, 5, 6, 7}
    assert instruction.uniform_reads() == set()


def test_driver_call():
    (finding,) = sass.lint_sass(disassembly("CALL.ABS.NOINC `(__cuda_syscall_cp_async_bulk)", "EXIT"))
    assert "call into the driver at 0x0000" in finding
    assert finding.startswith("b12x_k: ")


def test_syscall_by_name_is_found_whatever_the_call():
    (finding,) = sass.lint_sass(disassembly("MOV R20, 32@lo(__cuda_syscall_x)", "EXIT"))
    assert "call into the driver" in finding


def test_stack_frame():
    assert sass.lint_sass(attributes("b12x_k", 48)) == ["b12x_k: stack frame of 48 bytes; want none"]


def test_local_memory():
    findings = sass.lint_sass(disassembly("STL [R1], R4", "LDL.64 R4, [R1]", "EXIT"))
    assert len(findings) == 2
    assert all("local memory" in finding for finding in findings)


def test_wrongly_encoded_cache_hint():
    """The two registers are written here, so that the pattern rule alone must find it."""
    prefix = ("UMOV UR0, 0x400", "UMOV UR1, 0x0")
    bad = disassembly(*prefix, "LDGSTS.E.BYPASS.128 [R7+UR0], desc[UR1][R2.64]", "EXIT")
    (finding,) = sass.lint_sass(bad)
    assert "wrongly encoded cache hint at 0x0020" in finding
    good = disassembly(*prefix, "UMOV UR4, URZ", "LDGSTS.E.BYPASS.128 [R7+UR4], desc[UR0][R2.64]", "EXIT")
    assert sass.lint_sass(good) == []


def test_uniform_register_never_written():
    (finding,) = sass.lint_sass(disassembly("UMOV UR4, 0x1", "UIADD3 UR5, UPT, UPT, UR4, UR6, URZ", "EXIT"))
    assert finding == "b12x_k: UR6 read and never written at 0x0010: UIADD3 UR5, UPT, UPT, UR4, UR6, URZ"


def test_uniform_register_written_later_only():
    """A write behind the read does not help where no path leads back."""
    (finding,) = sass.lint_sass(disassembly("IADD3 R2, R2, UR4, RZ", "UMOV UR4, 0x1", "EXIT"))
    assert "UR4 read and never written at 0x0000" in finding


def test_uniform_register_written_in_code_moved_behind():
    """ptxas moves blocks to the end; the branch there and back makes the write reach the read."""
    text = disassembly(
        "BRA `(.L_x_2)",
        ".L_x_1:",
        "IADD3 R2, R2, UR4, RZ",
        "EXIT",
        ".L_x_2:",
        "UMOV UR4, 0x1",
        "BRA `(.L_x_1)",
    )
    assert sass.lint_sass(text) == []


def test_uniform_register_written_on_one_of_two_paths_is_allowed():
    text = disassembly("@P0 BRA `(.L_x_1)", "S2UR UR4, SR_TID.X", ".L_x_1:", "MOV R2, UR4", "EXIT")
    assert sass.lint_sass(text) == []


def test_uniform_register_behind_an_exit_does_not_count():
    text = disassembly("@P0 BRA `(.L_x_1)", "S2UR UR4, SR_TID.X", "EXIT", ".L_x_1:", "MOV R2, UR4", "EXIT")
    assert len(sass.lint_sass(text)) == 1


def test_wide_results_write_every_register_of_theirs():
    reads = "UIADD3 UR10, UPT, UPT, UR5, UR9, URZ"
    assert sass.lint_sass(disassembly("LDCU.64 UR4, c[0x0][0x1]", "UIMAD.WIDE.U32 UR8, UR4, UR5, URZ", reads)) == []
    narrow = disassembly("LDCU UR4, c[0x0][0x1]", "UIMAD.WIDE.U32 UR8, UR4, UR4, URZ", reads)
    assert len(sass.lint_sass(narrow)) == 1


def test_destination_behind_predicates():
    text = disassembly("UISETP.NE.AND UP0, UPT, URZ, URZ, UPT", "ELECT P1, UR5, PT", "MOV R2, UR5", "EXIT")
    assert sass.lint_sass(text) == []


def test_comparison_reads_all_its_registers():
    """Its results are predicates; the first register named is no destination."""
    (finding,) = sass.lint_sass(disassembly("UISETP.NE.AND UP0, UPT, UR7, URZ, UPT", "EXIT"))
    assert "UR7 read and never written" in finding


MMA = "OMMA.SF.16864.F32.E2M1.E2M1.UE4M3.4X R4, R16, R20, R12, R24, R25, URZ"


def test_doubled_mma():
    (finding,) = sass.lint_sass(disassembly(MMA, MMA, "EXIT"))
    assert "the same MMA twice, at 0x0000 and 0x0010" in finding


def test_repeated_mma_with_renewed_operands_is_allowed():
    assert sass.lint_sass(disassembly(MMA, "LDSM.16.M88.4 R20, [R30]", MMA, "EXIT")) == []


def test_repeated_mma_of_two_blocks_is_allowed():
    assert sass.lint_sass(disassembly(MMA, ".L_x_1:", MMA, "EXIT")) == []


def ptx(*lines: str, name: str = "b12x_k") -> str:
    """PTX text of one entry."""
    return "\n".join([f".visible .entry {name}(", ")", "{", *lines, "}"])


BLOCK_SCALED = (
    "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 {%f1};"
)


def test_block_scaled_mma_is_omma():
    assert sass.lint_against_ptx(disassembly(MMA, "EXIT"), ptx(BLOCK_SCALED)) == []
    assert sass.lint_against_ptx(disassembly("HMMA.16816.F32 R4, R16, R20, R12", "EXIT"), ptx(BLOCK_SCALED)) == [
        "b12x_k: PTX asks for 1 OMMA.SF, SASS has 0"
    ]


def test_fewer_mma_than_asked_for():
    assert sass.lint_against_ptx(disassembly(MMA), ptx(BLOCK_SCALED, BLOCK_SCALED)) == [
        "b12x_k: PTX asks for 2 OMMA.SF, SASS has 1"
    ]


def test_plain_fp8_mma_for_a_block_scaled_one_is_found():
    """A plain QMMA runs at half rate on GeForce parts; the block-scaled form must stay QMMA.SF."""
    line = "mma.sync.aligned.m16n8k32.row.col.kind::mxf8f6f4.block_scale.f32.e4m3.e4m3.f32.ue8m0 {%f1};"
    assert sass.lint_against_ptx(disassembly("QMMA.SF.16832.F32.E4M3.E4M3.E8 R4, R8, R12, R4"), ptx(line)) == []
    assert len(sass.lint_against_ptx(disassembly("QMMA.16832.F32.E4M3.E4M3 R4, R8, R12, R4"), ptx(line))) == 1


def test_f16_mma_is_hmma():
    line = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1};"
    assert sass.lint_against_ptx(disassembly("HMMA.16816.F32.BF16 R4, R8, R12, R4"), ptx(line)) == []


def test_tma_and_setmaxnreg_are_there():
    body = (
        "cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, %r3}], [%r4];",
        "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r1], [%rd1], %r2, [%r4];",
        "setmaxnreg.inc.sync.aligned.u32 232;",
        "cp.async.bulk.commit_group;",
        "// ldmatrix. in a comment does not count",
    )
    everything = disassembly("UTMALDG.2D [UR8], [UR4], desc[UR6]", "UBLKCP.S.G [UR6], [UR4], UR8", "USETMAXREG 0xe8")
    assert sass.lint_against_ptx(everything, ptx(*body)) == []
    assert sass.lint_against_ptx(disassembly("EXIT"), ptx(*body)) == [
        "b12x_k: PTX asks for 1 UTMALDG, SASS has 0",
        "b12x_k: PTX asks for 1 UBLKCP, SASS has 0",
        "b12x_k: PTX asks for 1 USETMAXREG, SASS has 0",
    ]


def test_entry_without_code():
    assert sass.lint_against_ptx(disassembly("EXIT", name="other"), ptx()) == ["b12x_k: in the PTX, not in the cubin"]
