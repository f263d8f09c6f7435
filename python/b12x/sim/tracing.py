"""What is traced, and a traced instruction as a line of text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """Which instructions; "" and None: all."""

    kernel: str = ""
    block: str = ""  # "x,y,z"
    warp: int | None = None
    most: int = 1000

    def variables(self) -> dict[str, str]:
        """The simulator's environment variables for it (simulator/machine/options.hpp)."""
        named = {"KERNEL": self.kernel, "BLOCK": self.block, "WARP": "" if self.warp is None else str(self.warp)}
        chosen = {f"B12X_SIM_TRACE_{name}": value for name, value in named.items() if value}
        # One host thread: lines come in the order of execution.
        return chosen | {"B12X_SIM_TRACE_MAX": str(self.most), "B12X_SIM_THREADS": "1"}


def render(line: dict) -> str:
    """`(0,0,0) w0  12  x.cu:7  ffffffff  ld.global.u32 %r4, [%rd3];  = 0x00000001`."""
    block = ",".join(str(index) for index in line["block"])
    where = f"({block}) w{line['warp']} {line['pc']:5}  {line['file'].rsplit('/', 1)[-1]}:{line['line']}"
    result = f"  lane {line['lane']} = {_values(line['result'])}" if "result" in line else ""
    return f"{where:40} {line['mask'][2:]}  {line['ptx']:60}{result}".rstrip()


def _values(values: list) -> str:
    return " ".join("".join(value) if isinstance(value, list) else str(value) for value in values)
