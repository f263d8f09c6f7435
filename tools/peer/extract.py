"""Runs an extractor of b12x 0.7.2's kernels over the launches that this folder's programs use.

    python3.11 tools/peer/extract.py EXTRACTOR --work FOLDER [--only REGEX]

EXTRACTOR is a Python file that runs the package without a GPU and records each launch (README.md says what it has to
offer). FOLDER gets `out/<case>.ptx` and `out/<case>.json`; it lies outside the repository, and nothing of it enters.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import SimpleNamespace

# N x K: layers of models, then those of the package's own benchmark.
SHAPES = ((4096, 4096), (14336, 4096), (4096, 14336), (512, 7168), (4608, 4096), (4096, 2048), (4096, 256))


def wanted() -> list[dict[str, object]]:
    """The launches: small ones for checks and mutants, and those whose counters stand beside ours."""
    # One row makes the package copy A by a 1-D instruction with a 2-D tensor map, which is refused.
    dense = [(m, 4096, 4096) for m in (8, 32, 128)] + [(m, n, k) for n, k in SHAPES[1:] for m in (8, 128)]
    small = [(2, 256, 384), (130, 264, 640)]
    cases: list[dict[str, object]] = []
    for m, n, k in small + dense:
        cases.append({"name": f"dense_m{m}_n{n}_k{k}", "kind": "dense", "m": m, "n": n, "k": k})
    # One token: rows are unique. Two tokens: experts are claimed by atomics.
    for m in (1, 2):
        cases.append({"name": f"moe_m{m}", "kind": "moe", "tokens": m})
        cases.append({"name": f"moe_m{m}_small", "kind": "moe", "tokens": m, "E": 4, "topk": 2, "k": 512, "n": 128})
    return cases


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extractor", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder outside the repository")
    parser.add_argument("--only", default="", help="names of cases")
    options = parser.parse_args()
    specification = importlib.util.spec_from_file_location("extractor", options.extractor)
    if specification is None or specification.loader is None:
        parser.error(f"{options.extractor} is not a Python file")
    extractor = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(extractor)
    extractor.cases = lambda *_: wanted()
    work = options.work.resolve()
    tools = work / "nvcc/nvidia/cu13"
    how = SimpleNamespace(
        work=work,
        only=options.only,
        version="0.7.2",
        torch="torch==2.13.0",
        python="python3.11",
        venv=work / "v72",
        ptxas_native=tools / "bin/ptxas",
        cuda_h=str(tools / "include/cuda.h"),
    )
    work.mkdir(parents=True, exist_ok=True)
    for step in (extractor.setup, extractor.extract, extractor.collect):
        step(how)


if __name__ == "__main__":
    main()
