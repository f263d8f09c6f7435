"""`b12x sim`: exit codes, reports, refusals and listings, with a small Driver API program that the test compiles."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from b12x.sim import cudart
from b12x.sim.library import library_path

# Doubles 64 words; `./program BLOCKS CODE` launches BLOCKS blocks of 32 threads over them and exits with CODE. Three
# blocks write past the end. `.loc` lines point into "double.cu", which the HTML report cannot find.
PROGRAM = r"""
#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>
#include <string>
const char* kPtx = R"(
.version 8.8
.target sm_90
.address_size 64
.file 1 "double.cu"
.visible .entry twice(.param .u64 words)
{
.reg .b32 %r<8>;
.reg .b64 %rd<4>;
.loc 1 3 1
ld.param.u64 %rd1, [words];
mov.u32 %r1, %tid.x;
mov.u32 %r2, %ctaid.x;
mad.lo.u32 %r3, %r2, 32, %r1;
mul.wide.u32 %rd2, %r3, 4;
add.u64 %rd3, %rd1, %rd2;
.loc 1 4 1
ld.global.u32 %r4, [%rd3];
add.u32 %r4, %r4, %r4;
.loc 1 5 1
st.global.u32 [%rd3], %r4;
ret;
}
)";
void* lib = dlopen("libcuda.so.1", RTLD_NOW);
template <class... A> int call(const char* name, A... a) {
  auto f = reinterpret_cast<int (*)(A...)>(dlsym(lib, name));
  int r = f != nullptr ? f(a...) : -1;
  if (r != 0) std::fprintf(stderr, "%s: %d\n", name, r);
  return r;
}
int main(int argc, char** argv) {
  if (lib == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 9;
  void *context = nullptr, *module = nullptr, *function = nullptr;
  unsigned long long words = 0;
  unsigned host[64];
  for (unsigned n = 0; n < 64; ++n) host[n] = n;
  if (call("cuInit", 0u) != 0) return 9;
  call("cuDevicePrimaryCtxRetain", &context, 0);
  call("cuCtxSetCurrent", context);
  if (call("cuModuleLoadData", &module, static_cast<const void*>(kPtx)) != 0) return 9;
  call("cuModuleGetFunction", &function, module, "twice");
  call("cuMemAlloc_v2", &words, sizeof host);
  call("cuMemcpyHtoD_v2", words, static_cast<const void*>(host), sizeof host);
  void* params[] = {&words};
  const unsigned blocks = static_cast<unsigned>(std::atoi(argv[1]));
  call("cuLaunchKernel", function, blocks, 1u, 1u, 32u, 1u, 1u, 0u, static_cast<void*>(nullptr),
       static_cast<void**>(params), static_cast<void**>(nullptr));
  if (call("cuMemcpyDtoH_v2", static_cast<void*>(host), words, sizeof host) == 0 && host[63] != 126) return 8;
  return std::atoi(argv[2]);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    source = folder / "program.cpp"
    source.write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++17", "-O0", "-o", folder / "program", source, "-ldl"], check=True)
    return folder / "program"


def b12x(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from b12x.cli import main; sys.exit(main())", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_commands_own_exit_code_where_nothing_is_found(program: Path) -> None:
    assert b12x("sim", "run", "--", program, 2, 0).returncode == 0
    result = b12x("sim", "run", "--", program, 2, 5)
    assert result.returncode == 5
    assert "nothing found" in result.stdout


def test_three_where_something_is_found(program: Path) -> None:
    result = b12x("sim", "run", "--check", "memcheck", "--", program, 3, 5)
    assert result.returncode == 3
    assert "double.cu:4" in result.stdout


def test_the_json_names_what_was_found_and_counted(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    result = b12x("sim", "run", "--gpu", "h200", "--report", "json", "--out", out, "--seed", 7, "--", program, 3, 0)
    assert result.returncode == 3
    report = json.loads(out.read_text())
    assert list(report) == ["command", "gpu", "seeds", "exit_code", "findings", "kernels"]
    assert report["command"] == [str(program), "3", "0"]
    assert (report["seeds"], report["exit_code"]) == ([7], 0)
    finding = next(f for f in report["findings"] if f["kind"] == "memcheck")
    assert list(finding) == ["kind", "file", "line", "block", "warp", "lanes", "buffer", "seed", "text"]
    assert (finding["file"], finding["line"], finding["block"], finding["warp"]) == ("double.cu", 4, [2, 0, 0], 0)
    assert (finding["lanes"], finding["seed"]) == (1, 7)  # lane 0 of block 2 is the first past the end
    assert "cuMemAlloc" in finding["buffer"]


def test_counters_come_per_kernel_line_and_instruction(program: Path) -> None:
    result = b12x("sim", "run", "--report", "json", "--", program, 2, 0)
    (kernel,) = json.loads(result.stdout)["kernels"]
    assert (kernel["name"], kernel["launches"]) == ("twice", 1)
    # Two warps; a warp reads and writes 128 bytes, 4 sectors.
    assert kernel["counters"]["global_load_sectors"] == kernel["counters"]["global_store_sectors"] == 8
    assert kernel["counters"]["dram_read_bytes"] == 256
    assert [sm["blocks"] for sm in kernel["sms"][:3]] == [1, 1, 0]  # block b is on SM b
    assert [sm["inst_executed"] for sm in kernel["sms"][:3]] == [10, 10, 0]
    lines = {(line["file"], line["line"]): line["counters"] for line in kernel["lines"]}
    assert lines["double.cu", 4]["global_load_requests"] == lines["double.cu", 5]["global_store_requests"] == 2
    load = next(i for i in kernel["instructions"] if i["ptx"].startswith("ld.global"))
    assert (load["pipe"], load["counters"]["inst_executed"]) == ("lsu", 2)
    text = b12x("sim", "run", "--", program, 2, 0).stdout
    assert "twice" in text
    assert b12x("sim", "run", "--no-counters", "--report", "json", "--", program, 2, 0).stdout.count("twice") == 0


def test_the_page_stands_alone(program: Path, tmp_path: Path) -> None:
    (tmp_path / "double.cu").write_text("".join(f"line {n} </script>\n" for n in range(1, 6)))
    out = tmp_path / "page.html"
    arguments = ("sim", "run", "--report", "html", "--out", out, "--", program, 3, 0)
    assert b12x(*arguments, cwd=tmp_path).returncode == 3
    page = out.read_text()
    assert re.search(r"(src|href)\s*=\s*[\"']?(https?:|//)|@import|url\(", page) is None
    # A text that looks like the end of the script must not end it: the page's own two scripts are all there are.
    assert page.count("</script>") == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    content = json.loads(data)
    assert content["sources"]["double.cu"][3] == "line 4 </script>"
    assert content["findings"][0]["file"] == "double.cu"
    assert content["kernels"][0]["name"] == "twice"


def test_seeds_run_one_after_another(program: Path) -> None:
    result = b12x("sim", "run", "--seeds", 3, "--report", "json", "--", program, 3, 0)
    report = json.loads(result.stdout)
    assert report["seeds"] == [1, 2, 3]
    assert {f["seed"] for f in report["findings"]} == {1, 2, 3}


def test_a_trace_shows_what_each_instruction_wrote(program: Path) -> None:
    arguments = ("--kernel", "twice", "--block", "1,0,0", "--warp", 0, "--json", "--", program, 2, 4)
    result = b12x("sim", "trace", *arguments)
    assert result.returncode == 4
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["pc"] for line in lines] == list(range(10))
    assert all(line["block"] == [1, 0, 0] and line["mask"] == "0xffffffff" for line in lines)
    load, doubled = lines[6], lines[7]
    assert (load["ptx"], load["file"], load["line"]) == ("ld.global.u32 %r4, [%rd3]", "double.cu", 4)
    assert (load["result"], doubled["result"]) == (["0x00000020"], ["0x00000040"])  # word 32, and its double
    assert "result" not in lines[8]  # a store
    text = b12x("sim", "trace", "--max", 7, "--", program, 2, 0).stdout.splitlines()
    assert len(text) == 7
    assert text[6].split()[:4] == ["(0,0,0)", "w0", "6", "double.cu:4"]
    missing = b12x("sim", "trace", "--kernel", "thrice", "--", program, 2, 0)
    assert missing.returncode == 1
    assert "no kernel 'thrice' ran; these did: twice" in missing.stderr


def test_a_command_line_that_cannot_be_meant_says_how_to_fix_it(program: Path) -> None:
    result = b12x("sim", "run", "--check", "races", "--", program)
    assert result.returncode == 2
    assert "memcheck,race,init,sync" in result.stderr
    result = b12x("sim", "run")
    assert result.returncode == 1
    assert "b12x sim run -- ./program" in result.stderr
    result = b12x("sim", "run", "--", "./no-such-program")
    assert result.returncode == 1
    assert "'./no-such-program' is not a program" in result.stderr


def test_a_program_that_needs_the_cuda_runtime_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runtime.cpp").write_text('extern "C" int cudaFree(void*) { return 0; }\n')
    (tmp_path / "main.cpp").write_text('extern "C" int cudaFree(void*);\nint main() { return cudaFree(nullptr); }\n')
    library, main = tmp_path / "libcudart.so.13", tmp_path / "main"
    subprocess.run(["g++", "-shared", "-fPIC", "-Wl,-soname,libcudart.so.13", "-o", library, tmp_path / "runtime.cpp"])
    subprocess.run(["g++", "-o", main, tmp_path / "main.cpp", library], check=True)
    assert "libcudart.so.13" in cudart.needed_libraries(main.read_bytes())
    result = b12x("sim", "run", "--", main)
    assert result.returncode == 1
    assert "main is linked against NVIDIA's CUDA runtime (libcudart.so.13)" in result.stderr
    assert "Driver API" in result.stderr


def test_files_that_are_no_elf_need_no_libraries() -> None:
    assert cudart.needed_libraries(b"#!/bin/sh\n") == []
    assert cudart.needed_libraries(library_path().read_bytes()[:100]) == []  # cut short
    assert "libc.so.6" in cudart.needed_libraries(library_path().read_bytes())


def test_a_listing_shows_pipes_lines_and_what_is_unknown(tmp_path: Path) -> None:
    ptx = PROGRAM.split('R"(')[1].split(')"')[0].replace("add.u32 %r4, %r4, %r4;", "frob.u32 %r4, %r4, %r4;")
    file = tmp_path / "double.ptx"
    file.write_text(ptx)
    result = b12x("sim", "disasm", "--gpu", "h200", file)
    assert result.returncode == 0, result.stderr
    rows = {line.split()[1]: line for line in result.stdout.splitlines() if line[:1].isdigit()}
    assert rows["ld.global.u32"].split()[4:6] == ["lsu", rows["ld.global.u32"].split()[5]]
    assert rows["ld.global.u32"].endswith("double.cu:4")
    assert "(unknown)" in rows["frob.u32"]
    assert "unknown form `frob.u32`" in result.stdout
    result = b12x("sim", "disasm", "--kernel", "thrice", file)
    assert result.returncode == 1
    assert "no kernel `thrice`; it has: twice" in result.stderr
    file.write_text(".version 8.8\n.target sm_90\n.address_size 64\n.visible .entry broken( { }\n")
    result = b12x("sim", "disasm", file)
    assert result.returncode == 1
    assert "double.ptx:4" in result.stderr


def test_a_runtime_that_asks_for_its_tables_is_told_once_why_it_gets_none() -> None:
    ask = (
        "import ctypes; driver = ctypes.CDLL('libcuda.so.1'); table = ctypes.c_void_p(1);"
        "results = [driver.cuGetExportTable(ctypes.byref(table), bytes(16)) for _ in range(2)];"
        "raise SystemExit(0 if results == [500, 500] and table.value is None else 1)"
    )
    result = b12x("sim", "run", "--", sys.executable, "-c", ask)
    assert result.returncode == 0
    assert result.stderr.count("uses NVIDIA's CUDA runtime (cudart)") == 1
