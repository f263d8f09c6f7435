"""`b12x bench`: its command line, rows and records of the simulator, plots, and how a GPU would be timed."""

from __future__ import annotations

import contextlib
import ctypes
import json
from pathlib import Path

import b12x
import pytest
import torch
from b12x.bench import cases, counted, floor, plot, record, table, timing
from b12x.cli import main
from b12x.sim.library import library_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gemm", "--shapes", "4096"], "'4096': want shapes, as in 4096x4096,512x7168"),
        (["gemm", "--shapes", "4096xk"], "'k' does not fit, want shapes"),
        (["gemm", "--tokens", "1,0"], "'1,0': '0' does not fit, want positive whole numbers, as in 1,8,32"),
        (["gemm", "--dtypes", "int8"], "'int8': want some of bfloat16,float16,float32"),
        (["gemm", "--gpu", "rtx-4090"], "invalid choice: 'rtx-4090'"),
        (["gemm", "--quick", "--full"], "not allowed with"),
        (["linear", "--tokens", "x"], "'x': 'x' does not fit, want positive whole numbers"),
        (["quant", "--kinds", "plain,fp8"], "'fp8': want some of plain,silu_mul,amax,mxfp8"),
        (["quant", "--shapes", "1x2x3x4"], "want shapes, as in 512x4096,64x128x4096"),
        ([], "BENCH"),
    ],
)
def test_a_wrong_command_line_says_what_came_and_what_was_wanted(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", *arguments])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gemm", "--gpu", "gb10", "--shapes", "12x64"], "shape 12x64: want N x K with N a multiple of 8 and K a mul"),
        (
            ["linear", "--gpu", "gb10", "--dtypes", "float32"],
            "float32: want bfloat16 or float16, the type of the activ",
        ),
        (
            ["linear", "--gpu", "gb10", "--shapes", "64x64", "--tokens", "9"],
            "2 launches, and one is counted: fewer tok",
        ),
        (["quant", "--gpu", "gb10", "--shapes", "4x24"], "shape 4x24: plain wants a multiple of 16 columns"),
        (["quant", "--gpu", "gb10", "--kinds", "amax", "--shapes", "2x4x32"], "shape 2x4x32: amax takes one matrix"),
        (["gemm", "--gpu", "gb10", "--plot", "x.pdf"], "--plot x.pdf: want a name that ends with .svg or .png"),
        (["gemm", "--gpu", "gb10", "--json", "{folder}/no/x.json"], "/no/x.json: there is no folder "),
        (["gemm", "--from", "{folder}/none.json"], "none.json"),
        (["gemm", "--from", "{folder}/text.json"], "text.json: is no record of `b12x bench`"),
        (["quant", "--from", "{folder}/gemm.json"], "holds rows of `bench gemm`, want quant"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.json").write_text("[1]")
    record.write(timed_record(), tmp_path / "gemm.json")
    assert main(["bench", *(word.format(folder=tmp_path) for word in arguments)]) == 1
    assert words in capsys.readouterr().err


class TestOnTheSimulator:
    def test_gemm_rows_are_counters_of_the_named_card(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out, picture = tmp_path / "rows.json", tmp_path / "rows.svg"
        arguments = ["gemm", "--gpu", "gb10", "--shapes", "136x320,264x64", "--tokens", "1,40,100", "--commit", "abc"]
        assert main(["bench", *arguments, "--json", str(out), "--plot", str(picture)]) == 0
        text = capsys.readouterr().out
        assert "gemm on simulated gb10" in text
        assert "counted on the simulator; nothing here is a time" in text
        content = json.loads(out.read_text())
        assert list(content) == [
            *("bench", "measured", "device", "driver", "date", "commit", "command", "torch", "rows"),
        ]
        assert (content["measured"], content["commit"]) == ("counters", "abc")
        assert content["command"].startswith("b12x bench gemm --gpu gb10 --shapes 136x320,264x64")
        assert content["date"].endswith(" UTC")
        rows = content["rows"]
        names = [(n, k, m) for n, k in ((136, 320), (264, 64)) for m in (1, 40, 100)]
        assert [(row["n"], row["k"], row["m"]) for row in rows] == names
        # One token: a tile of 32 weights is 2 MMAs of 16 rows for each 64 k; five tiles of 136, 5 chunks of k.
        first, tiled, large = rows[:3]
        assert (first["mma_count"], first["useful_mma_count"]) == (5 * 2 * 5, 9 * 5)
        # 40 rows are one tile of 64 x 128: 4 x 16 MMAs for 64 k.
        assert (tiled["mma_count"], tiled["useful_mma_count"]) == (2 * 4 * 16 * 5, 3 * 17 * 5)
        # 100 rows are one of 128 x 128. Of 64 rows, half of the banks hold their scales; of 128 nothing is in conflict.
        assert (large["mma_count"], large["useful_mma_count"]) == (2 * 8 * 16 * 5, 7 * 17 * 5)
        assert all(line.startswith("fp4_gemm_tiled.cuh") for line in tiled["conflicts_by_line"])
        assert large["shared_conflicts"] == 0
        for row in rows:
            assert row["sms"] == 48
            assert row["busy_sms"] <= row["blocks"]
            assert 0 < row["balance"] <= 1
            # 5/4 and 1/1 atoms of scales hold 4 blocks each, and rows come by 128: at least the operands are read.
            assert row["dram_read_cold_bytes"] >= row["operand_bytes"] > row["weight_bytes"]
            assert row["dram_read_warm_bytes"] == 0  # all of it stays in L2
            assert row["l2_read_bytes"] == 32 * row["counters"]["l2_read_sectors"]
            assert sum(row["conflicts_by_line"].values()) == row["shared_conflicts"]
            assert not any("_us" in name or "gb_s" in name for name in row)
        svg = picture.read_text()
        assert "136 x 320" in svg
        assert "from DRAM, cold" in svg
        assert "counted on the simulator" in svg

    def test_a_gemm_that_quantises_reads_its_values_once(self, tmp_path: Path) -> None:
        out, picture = tmp_path / "rows.json", tmp_path / "rows.svg"
        arguments = ["linear", "--gpu", "gb10", "--shapes", "1536x320", "--tokens", "3", "--dtypes", "float16"]
        assert main(["bench", *arguments, "--json", str(out), "--plot", str(picture)]) == 0
        (row,) = json.loads(out.read_text())["rows"]
        assert row["kernel"] == "b12x_nvfp4_gemm_skinny_quantize_m8_f16"
        assert row["operand_bytes"] == row["weight_bytes"] + 3 * 320 * 2
        assert row["dram_read_ratio"] < 1.01
        # 48 tiles on 48 SMs: each block quantises all three rows, once.
        assert row["l2_read_bytes"] >= row["weight_bytes"] + 48 * 3 * 320 * 2
        assert row["mma_count"] == row["useful_mma_count"] == 1536 // 16 * 5
        assert "1536 x 320" in picture.read_text()

    def test_quantisation(self, tmp_path: Path) -> None:
        out = tmp_path / "rows.json"
        arguments = ["quant", "--gpu", "rtx-5080", "--kinds", "plain,silu_mul,mxfp8", "--shapes", "128x256"]
        assert main(["bench", *arguments, "--dtypes", "float16,float32", "--json", str(out)]) == 0
        rows = json.loads(out.read_text())["rows"]
        assert [(row["kind"], row["dtype"]) for row in rows] == [
            (kind, dtype) for kind in ("plain", "silu_mul", "mxfp8") for dtype in ("float16", "float32")
        ]
        plain = rows[0]
        assert (plain["in_bytes"], plain["out_bytes"]) == (128 * 256 * 2, 128 * 128 + 128 * 16)
        assert plain["dram_read_cold_bytes"] == plain["in_bytes"] + 32  # and the global scale
        assert plain["l2_write_bytes"] == plain["out_bytes"]
        assert plain["inst_per_block"] == pytest.approx(plain["inst_executed"] / 64, abs=0.1)
        assert rows[2]["in_bytes"] == 2 * plain["in_bytes"]

    def test_the_quick_sets_are_small(self) -> None:
        quick = cases.gemm_cases(cases.QUICK_SHAPES, cases.QUICK_TOKENS)
        full = cases.gemm_cases(cases.SHAPES, cases.TOKENS)
        assert set(quick) <= set(full)
        assert sum(2 * case.m * case.n * case.k for case in quick) < 2**36  # seconds on a simulator

    def test_what_the_card_refuses_is_an_error_with_its_words(self) -> None:
        with pytest.raises(RuntimeError, match=r"QuantCase\(.*cols=24.*want .*multiple of 16"):
            list(counted.rows("quant", [cases.QuantCase("plain", "bfloat16", 4, 24)], "gb10"))


def test_rows_before_one_that_fails_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def rows(bench: str, chosen: list, gpu: str):
        yield from timed_record().rows[:1]
        raise RuntimeError("the card fell over")

    monkeypatch.setattr(counted, "rows", rows)
    monkeypatch.setattr(table, "line", lambda record, row: "a row")
    out = tmp_path / "rows.json"
    assert main(["bench", "gemm", "--gpu", "gb10", "--json", str(out)]) == 1
    assert "the card fell over" in capsys.readouterr().err
    assert json.loads(out.read_text())["rows"] == timed_record().rows[:1]


def timed_record() -> record.Record:
    """Two panels with made-up times."""
    rows = []
    for n, k in ((4096, 4096), (512, 7168)):
        for m in (1, 32):
            row = {"m": m, "n": n, "k": k, "out": "bfloat16", "relative_error": 0.001}
            row |= {
                f"{name}_{cache}_us": 5.0 + m for name in ("b12x", "cublas_bf16", "read") for cache in ("cold", "warm")
            }
            rows.append(row | {"cold_ratio": 2.0 if m == 1 else 8.0, "warm_ratio": 3.0})
    return record.Record("gemm", "time", "GPU", "1.2", "2026-11-26", "abc", "b12x bench gemm", "2.11", rows)


def test_a_record_is_shown_and_drawn_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, copy, picture = (tmp_path / name for name in ("rows.json", "copy.json", "rows.png"))
    record.write(timed_record(), source)
    arguments = ["--from", str(source), "--json", str(copy), "--plot", str(picture)]
    assert main(["bench", "gemm", *arguments]) == 0
    text = capsys.readouterr().out
    assert "times on a GPU: medians, cold and warm L2" in text
    # Of 512 x 7168 the matrix is too small to count.
    assert "m <= 32, n k >= 16 M, cold: geometric mean 4.000, least 2.000" in text
    assert copy.read_text() == source.read_text()
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    svg = tmp_path / "a.svg"
    plot.write(timed_record(), svg)
    first = svg.read_bytes()
    plot.write(timed_record(), svg)
    assert svg.read_bytes() == first
    for words in (b"cuBLAS BF16, cold", b"reading the weights, warm", b"512 x 7168"):
        assert words in first


RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("gemm-*.json")), ids=lambda path: path.stem)
def test_recorded_rows_can_be_shown_and_drawn(path: Path) -> None:
    recorded = record.read(path)
    assert recorded.bench == "gemm"
    assert recorded.is_timed == ("counters" not in path.stem)
    assert all(table.line(recorded, row) for row in recorded.rows)
    assert len(plot.panels_of(recorded)["4096 x 4096"]) > 1


class Cuda:
    """A libcuda by ctypes, for memory."""

    def __init__(self) -> None:
        assert b12x.runtime.device_name("cpu")  # the primary context exists
        self.library = ctypes.CDLL(str(library_path()))

    def array(self, values: list[int]) -> int:
        address, content = ctypes.c_uint64(), (ctypes.c_uint32 * len(values))(*values)
        assert self.library.cuMemAlloc_v2(ctypes.byref(address), ctypes.sizeof(content)) == 0
        assert self.library.cuMemcpyHtoD_v2(address, content, ctypes.sizeof(content)) == 0
        return address.value

    def word(self, address: int) -> int:
        value = ctypes.c_uint32()
        assert self.library.cuMemcpyDtoH_v2(ctypes.byref(value), ctypes.c_uint64(address), 4) == 0
        return value.value


@pytest.mark.parametrize("words", [1, 2047, 2048, 2049, 8192, 9001])
def test_the_floor_reads_every_word_and_none_behind_the_last(words: int) -> None:
    # 8 blocks of 256 threads: a step is 2048 words. The sink is written by the lane whose words fold to the number that
    # the kernel waits for: by none where all are zero, by one where a single word holds it.
    read = floor.ReadOnly(str(library_path()), sms=1)
    cuda = Cuda()
    for marked in {0, words // 2, words - 1, None}:
        values = [0] * (4 * words)
        if marked is not None:
            values[4 * marked + marked % 4] = 0x9E3779B9
        data, sink = cuda.array(values), cuda.array([7])
        read.launch(data, 16 * words, sink)
        assert cuda.word(sink) == (7 if marked is None else 0x9E3779B9)


class FakeCuda:
    """torch.cuda whose clock moves by what a call says it takes, in microseconds."""

    def __init__(self) -> None:
        self.now, self.log = 0.0, []

    def call(self, name: str, us: float):
        def run() -> None:
            self.log.append(name)
            self.now += us

        return run

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cuda = self

        class Event:
            def __init__(self, enable_timing: bool) -> None:
                assert enable_timing

            def record(self) -> None:
                self.at = cuda.now

            def elapsed_time(self, end: Event) -> float:
                return (end.at - self.at) / 1e3

        class Graph:
            calls: tuple = ()

            def replay(self) -> None:
                for name, us in self.calls:
                    cuda.call(name, us)()

        @contextlib.contextmanager
        def capture(graph: Graph, stream: object):
            before, start = len(cuda.log), cuda.now
            yield
            names = cuda.log[before:]
            graph.calls = tuple((name, (cuda.now - start) / len(names)) for name in names)
            del cuda.log[before:]

        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", capture)
        monkeypatch.setattr(torch.cuda, "Stream", object)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
        monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: self.call("busy", 500)())


class TestTiming:
    """The method, with a GPU that is a clock."""

    def test_cold_is_one_call_after_a_flush_and_all_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gpu = FakeCuda()
        gpu.install(monkeypatch)

        class Memory:
            zero_ = staticmethod(gpu.call("flush", 100))

        monkeypatch.setattr(torch, "empty", lambda *_, **__: Memory)
        times = timing.after_flush({"a": gpu.call("a", 10), "b": gpu.call("b", 30)})
        assert times == {"a": pytest.approx(10), "b": pytest.approx(30)}
        assert gpu.log[:6] == ["a"] * 3 + ["b"] * 3
        one_round = ["flush", "busy", "a", "flush", "busy", "b"]
        assert gpu.log[6:] == one_round * (1 + timing.MOST_ROUNDS)

    def test_warm_is_a_graph_of_twenty_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gpu = FakeCuda()
        gpu.install(monkeypatch)
        times = timing.in_graph({"a": gpu.call("a", 10), "b": gpu.call("b", 30)})
        assert times == {"a": pytest.approx(10), "b": pytest.approx(30)}
        assert gpu.log[6:] == (["a"] * 20 + ["b"] * 20) * (1 + timing.MOST_ROUNDS)

    def test_only_calls_on_memory_of_their_own_keep_their_outputs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gpu = FakeCuda()
        gpu.install(monkeypatch)
        alive: list[int] = []

        class Output:
            def __init__(self) -> None:
                alive.append(1)

            def __del__(self) -> None:
                alive.pop()

        most = []

        def call() -> Output:
            gpu.call("a", 1)()
            output = Output()
            most.append(len(alive))
            return output

        timing.in_graph({"a": call})
        assert max(most) == 1
        most.clear()
        timing.on_own_memory({"a": [call] * 5})
        assert max(most) == 5
        assert not alive

    def test_each_call_has_memory_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gpu = FakeCuda()
        gpu.install(monkeypatch)
        times = timing.on_own_memory({"a": [gpu.call(f"a{i}", 10) for i in range(4)], "b": [gpu.call("b", 30)]})
        assert times == {"a": pytest.approx(10), "b": pytest.approx(30)}
        assert gpu.log[6:11] == ["a0", "a1", "a2", "a3", "b"]

    def test_slow_calls_make_fewer_rounds(self) -> None:
        assert timing.rounds_for(1.0) == timing.MOST_ROUNDS
        assert timing.rounds_for(timing.SECONDS * 1e6 / 10) == 10
        assert timing.rounds_for(1e9) == 3
