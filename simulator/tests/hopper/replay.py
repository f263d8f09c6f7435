"""Run the launches that the simulator's tests recorded on a real Hopper GPU, and compare their memory bit for bit.

    SIM_RECORD=FOLDER build/simulator/sim_tma          # any test over tests/program.hpp writes its launches
    python3 simulator/tests/hopper/replay.py assemble FOLDER --ptxas .cuda/nvidia/cu13/bin/ptxas
    python3 simulator/tests/hopper/replay.py run FOLDER     # where the GPU is; needs libcuda and Python alone

`assemble` makes an sm_90a cubin of each PTX text and leaves out the texts that Hopper cannot run (forms of sm_100 and
later). `run` allocates the buffers anew, moves every pointer in the parameters (tensor maps hold one too), launches,
and prints each launch whose buffers differ from the simulator's. Exit code: 0 when all are equal. With --record FILE
it also writes what the GPU answered: a line per launch, hash of what went in, hash of what came out. `verify` holds the
launches of a folder against such a file, so no GPU is needed to see that the simulator still answers as one did.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import hashlib
import re
import struct
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

PATIENCE = 4  # seconds for one launch
SMALL_SHARED = 48 * 1024  # bytes of dynamic shared memory that a kernel gets unasked
MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
NON_PORTABLE_CLUSTER = 14  # CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
PORTABLE_CLUSTER = 8  # blocks of a cluster that need no permission
CLUSTER_DIMENSION = 4  # CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
GUARD = 256  # bytes between buffers, so that none ends where another begins


@dataclass(frozen=True)
class Launch:
    """One recorded launch. `before` and `after` are the bytes of all buffers, one after another."""

    path: Path
    entry: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    cluster: tuple[int, ...]  # zeros: the launch names none
    shared: int
    params: bytes
    offsets: tuple[int, ...]  # of each parameter
    buffers: tuple[tuple[int, int], ...]  # address in the recording process, bytes
    before: bytes
    after: bytes


def read_launch(path: Path) -> Launch:
    """Parse a .launch file (tests/program.hpp writes it)."""
    data = path.read_bytes()
    end = data.index(b"\n")
    entry, *fields = data[:end].decode().split()
    numbers = [int(f) for f in fields]
    shared, params, count = numbers[9:12]
    offsets, pairs = tuple(numbers[12 : 12 + count]), numbers[12 + count :]
    buffers = tuple(zip(pairs[::2], pairs[1::2], strict=True))
    total = sum(size for _, size in buffers)
    at = end + 1
    return Launch(
        path=path,
        entry=entry,
        grid=tuple(numbers[0:3]),
        block=tuple(numbers[3:6]),
        cluster=tuple(numbers[6:9]),
        shared=shared,
        params=data[at : at + params],
        offsets=offsets,
        buffers=buffers,
        before=data[at + params : at + params + total],
        after=data[at + params + total :],
    )


def assemble(folder: Path, ptxas: str) -> int:
    """Make FOLDER/*.cubin; remove the launches of texts that do not assemble for sm_90a."""
    dropped = 0
    for ptx in sorted(folder.glob("*.ptx")):
        text = re.sub(r"(?m)^\.target .*$", ".target sm_90a", ptx.read_text())
        ptx.write_text(text)
        command = [ptxas, "-arch", "sm_90a", str(ptx), "-o", str(ptx.with_suffix(".cubin"))]
        made = subprocess.run(command, capture_output=True)
        if made.returncode != 0:
            dropped += 1
            for launch in folder.glob(f"{ptx.stem}.*.launch"):
                launch.unlink()
    print(f"{len(list(folder.glob('*.cubin')))} texts assembled, {dropped} are not Hopper's")
    return 0


class LaunchAttribute(ctypes.Structure):
    """CUlaunchAttribute with room for any value."""

    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_int), ("value", ctypes.c_uint32 * 16)]


class LaunchConfig(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("count", ctypes.c_uint),
    ]


def config_of(launch: Launch) -> LaunchConfig:
    """What cuLaunchKernelEx is to launch."""
    three = ctypes.c_uint * 3
    cluster = (LaunchAttribute * 1)()
    cluster[0].id = CLUSTER_DIMENSION
    cluster[0].value[:3] = launch.cluster
    named = 1 if any(launch.cluster) else 0
    return LaunchConfig(three(*launch.grid), three(*launch.block), launch.shared, None, cluster, named)


class Gpu:
    """The few driver calls that a replay needs."""

    def __init__(self) -> None:
        self.cu = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)
        name = ctypes.create_string_buffer(100)
        self.call("cuDeviceGetName", name, 100, device)
        self.name = name.value.decode()
        self.modules: dict[Path, ctypes.c_void_p] = {}
        self.memory = 0
        self.capacity = 0

    def call(self, name: str, *arguments: object) -> None:
        """Call a driver function; RuntimeError names it and its error."""
        result = getattr(self.cu, name)(*arguments)
        if result != 0:
            text = ctypes.c_char_p()
            self.cu.cuGetErrorName(result, ctypes.byref(text))
            raise RuntimeError(f"{name}: {(text.value or b'unknown').decode()}")

    def reserve(self, size: int) -> int:
        """Device memory of at least `size` bytes, shared by all launches."""
        if size > self.capacity:
            pointer = ctypes.c_uint64()
            self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
            self.memory, self.capacity = pointer.value, size
        return self.memory

    def run(self, launch: Launch) -> bytes:
        """The buffers after the launch, one after another."""
        offsets, total = [], 0
        for _, size in launch.buffers:
            offsets.append(total)
            total += (size + GUARD - 1) // GUARD * GUARD + GUARD
        base = self.reserve(total)
        at = 0
        for (_, size), offset in zip(launch.buffers, offsets, strict=True):
            part = launch.before[at : at + size]
            self.call("cuMemcpyHtoD_v2", ctypes.c_uint64(base + offset), part, ctypes.c_size_t(size))
            at += size
        cubin = launch.path.with_name(launch.path.name.split(".")[0] + ".cubin")
        if cubin not in self.modules:
            self.modules[cubin] = ctypes.c_void_p()
            self.call("cuModuleLoadData", ctypes.byref(self.modules[cubin]), cubin.read_bytes())
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), self.modules[cubin], launch.entry.encode())
        places = [base + offset for offset in offsets]
        if launch.shared > SMALL_SHARED:
            self.call("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED, launch.shared)
        params = ctypes.create_string_buffer(moved(launch, places), len(launch.params))
        pointers = (ctypes.c_void_p * len(launch.offsets))(*[ctypes.addressof(params) + at for at in launch.offsets])
        if max(launch.cluster) > PORTABLE_CLUSTER:
            self.call("cuFuncSetAttribute", function, NON_PORTABLE_CLUSTER, 1)
        self.call("cuLaunchKernelEx", ctypes.byref(config_of(launch)), function, pointers, None)
        self.call("cuCtxSynchronize")
        result = b""
        for (_, size_bytes), offset in zip(launch.buffers, offsets, strict=True):
            part = ctypes.create_string_buffer(max(size_bytes, 1))
            self.call("cuMemcpyDtoH_v2", part, ctypes.c_uint64(base + offset), ctypes.c_size_t(size_bytes))
            result += part.raw[:size_bytes]
        return result


def moved(launch: Launch, places: list[int]) -> bytes:
    """The parameters with every 8-byte word that points into a buffer moved to that buffer's place."""
    params = bytearray(launch.params)
    for at in range(0, len(params) - 7, 8):
        (word,) = struct.unpack_from("<Q", params, at)
        for (address, size), place in zip(launch.buffers, places, strict=True):
            if address <= word < address + size:
                struct.pack_into("<Q", params, at, place + word - address)
                break
    return bytes(params)


def question(launch: Launch) -> str:
    """Hash of everything that the launch's answer depends on; the same wherever its buffers lie."""
    text = launch.path.with_name(launch.path.name.split(".")[0] + ".ptx").read_text()
    text = re.sub(r"(?m)^\.target .*$", "", text)
    sizes = [size for _, size in launch.buffers]
    cluster = (launch.cluster,) if any(launch.cluster) else ()
    shape = repr((launch.entry, launch.grid, launch.block, launch.shared, launch.offsets, sizes, *cluster))
    params = moved(launch, [index << 48 for index in range(1, len(sizes) + 1)])
    return hashlib.sha256(b"\0".join([text.encode(), shape.encode(), params, launch.before])).hexdigest()[:24]


def answer(after: bytes) -> str:
    """Hash of the buffers after a launch."""
    return hashlib.sha256(after).hexdigest()[:24]


def difference(launch: Launch, got: bytes) -> str:
    """What to print about a launch; empty when the buffers are equal."""
    if got == launch.after:
        return ""
    places = [k for k in range(0, len(got), 4) if got[k : k + 4] != launch.after[k : k + 4]]
    text = f"{len(places)} words differ"
    for k in places[:8]:
        ours, theirs = launch.after[k : k + 4][::-1].hex(), got[k : k + 4][::-1].hex()
        text += f"\n    word {k // 4}: GPU {theirs} simulator {ours}"
    return text


def opcodes(launch: Launch) -> str:
    """The instructions under test in the launch's text."""
    ptx = launch.path.with_name(launch.path.name.split(".")[0] + ".ptx").read_text()
    found = re.findall(r"^\s*(?:@!?%\w+\s+)?((?:mma|ldm|stm|movm|cvt\.r|cp|mbar)[\w.:]+)", ptx, re.MULTILINE)
    return ", ".join(sorted(set(found)))


def run_some(launches: list[Launch], report: Connection) -> None:
    """Child process: a message a launch, its difference (or fault) and answer; a fault ends process and context."""
    gpu = Gpu()
    report.send(gpu.name)
    for launch in launches:
        try:
            got = gpu.run(launch)
            report.send((difference(launch, got), answer(got)))
        except RuntimeError as error:
            report.send((str(error), ""))
            return


def run(folder: Path, most: int, record: Path | None) -> int:
    """Replay all launches of FOLDER; 1 when a buffer differs or a launch faults."""
    launches = [read_launch(path) for path in sorted(folder.glob("*.launch"))]
    done, wrong, name = 0, 0, ""
    answers: dict[str, str] = {}
    while done < len(launches):
        receiver, sender = Pipe(duplex=False)
        child = Process(target=run_some, args=(launches[done:], sender))
        child.start()
        sender.close()
        try:
            name = receiver.recv()
            while done < len(launches):
                text, got = receiver.recv() if receiver.poll(PATIENCE) else (f"no answer in {PATIENCE} s", "")
                if got:
                    answers[question(launches[done])] = got
                if text:
                    wrong += 1
                    if wrong <= most:
                        print(f"{launches[done].path.name}: {opcodes(launches[done])}: {text}", flush=True)
                done += 1
                if text.startswith("no answer"):
                    break
        except EOFError:
            if not name:
                raise
        child.kill()
        child.join()
    print(f"{name}: {len(launches) - wrong} of {len(launches)} launches are equal to the simulator's")
    if record is not None:
        today = datetime.datetime.now(datetime.timezone.utc)
        lines = [f"# {name}, {today:%Y-%m-%d}: replay.py run FOLDER --record FILE"]
        lines += [f"{key} {value}" for key, value in sorted(answers.items())]
        record.write_text("\n".join(lines) + "\n")
    return 1 if wrong or not launches else 0


def verify(folder: Path, recorded: Path, forms: Path | None) -> int:
    """Hold the launches of FOLDER against recorded answers; 1 when one differs or none is known.

    `forms` gets the rows of the instruction table in the launches that were equal (../forms.hpp)."""
    judged: set[str] = set()
    lines = [line.split() for line in recorded.read_text().splitlines() if not line.startswith("#")]
    answers = dict(lines)
    equal, unknown, wrong = 0, 0, []
    for path in sorted(folder.glob("*.launch")):
        launch = read_launch(path)
        want = answers.get(question(launch))
        if want is None:
            unknown += 1
        elif want == answer(launch.after):
            equal += 1
            judged.update((folder / f"{path.name.split('.')[0]}.{launch.entry}.forms").read_text().splitlines())
        else:
            wrong.append(f"{path.name}: {opcodes(launch)}")
    if forms is not None:
        forms.write_text("".join(f"recorded\t{row}\n" for row in sorted(judged)))
    print("\n".join(wrong[:20]))
    print(f"{equal} launches equal what the GPU answered, {len(wrong)} differ, {unknown} were not asked of it")
    return 1 if wrong or equal == 0 else 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("assemble")
    first.add_argument("folder", type=Path)
    first.add_argument("--ptxas", default="ptxas")
    second = commands.add_parser("run")
    second.add_argument("folder", type=Path)
    second.add_argument("--most", type=int, default=20, help="differences to print")
    second.add_argument("--record", type=Path, help="file for the GPU's answers")
    third = commands.add_parser("verify")
    third.add_argument("folder", type=Path)
    third.add_argument("recorded", type=Path)
    third.add_argument("--forms", type=Path, help="file for the rows of the instruction table that were judged")
    options = parser.parse_args()
    if options.command == "assemble":
        return assemble(options.folder, options.ptxas)
    if options.command == "verify":
        return verify(options.folder, options.recorded, options.forms)
    return run(options.folder, options.most, options.record)


if __name__ == "__main__":
    sys.exit(main())
