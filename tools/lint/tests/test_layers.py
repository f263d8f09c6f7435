"""The table of layers on small trees: each arrow that is allowed, and its reverse."""

from __future__ import annotations

import layers
import pytest


def messages(sources: dict[str, str]) -> list[str]:
    """Findings of a tree as text."""
    return [str(finding) for finding in layers.check(sources)]


TREE = {
    "include/b12x/gemm.hpp": "#include <vector>\n",
    "src/base/check.hpp": '#include "b12x/gemm.hpp"\n',
    "src/plan/gemm.hpp": '#include "kernels/gemm/gemm_params.h"\n',
    "src/runtime/driver.hpp": "#include <cuda.h>\n#include <dlfcn.h>\n",
    "src/api/gemm.cpp": '#include "plan/gemm.hpp"\n#include "runtime/driver.hpp"\n',
    "kernels/gemm/gemm_params.h": "#include <cstdint>\n",
    "kernels/gemm/gemm.cuh": '#include "kernels/ptx/mma.cuh"\n',
    "kernels/quant/quant.cuh": '#include "kernels/math/fp4.h"\n',
    "kernels/math/fp4.h": "#include <bit>\n",
    "kernels/ptx/mma.cuh": '#include <cuda/ptx>\n#include "kernels/math/fp4.h"\n',
    "simulator/ptx/lexer.hpp": "#include <string>\n",
    "simulator/machine/grid.cpp": '#include "ptx/lexer.hpp"\n#include <cuda.h>\n',
    "simulator/tests/lexer.cpp": '#include <doctest/doctest.h>\n#include "ptx/lexer.hpp"\n',
    "python/native/ops.cpp": "#include <tvm/ffi/function.h>\n#include <b12x/gemm.hpp>\n",
}


def test_the_tree_as_designed_is_clean():
    assert messages(TREE) == []


@pytest.mark.parametrize(
    ("path", "line", "words"),
    [
        ("simulator/machine/bad.cpp", '#include "b12x/gemm.hpp"', "simulator includes include/b12x/gemm.hpp"),
        ("simulator/machine/bad.cpp", '#include "kernels/math/fp4.h"', "of formats"),
        ("src/plan/bad.cpp", "#include <cuda.h>", "plan includes <cuda.h>"),
        ("src/plan/bad.cpp", '#include "runtime/driver.hpp"', "of runtime"),
        ("src/plan/bad.cpp", '#include "kernels/gemm/gemm.cuh"', "of gemm"),
        ("src/base/bad.cpp", '#include "plan/gemm.hpp"', "of plan"),
        ("src/runtime/bad.cpp", '#include "plan/gemm.hpp"', "of plan"),
        ("src/api/bad.cpp", '#include "../../simulator/ptx/lexer.hpp"', "of simulator"),
        ("kernels/gemm/bad.cuh", '#include "src/base/check.hpp"', "of base"),
        ("kernels/gemm/bad.cuh", '#include "kernels/quant/quant.cuh"', "of quant"),
        ("kernels/math/bad.h", '#include "kernels/ptx/mma.cuh"', "of ptx"),
        ("include/b12x/bad.hpp", "#include <cuda.h>", "include includes <cuda.h>"),
        ("python/native/bad.cpp", '#include "plan/gemm.hpp"', "of plan"),
        ("src/api/bad.cpp", '#include "nowhere.hpp"', "is no file of this repository"),
        ("src/api/bad.cpp", "#include <torch/torch.h>", "unknown"),
        ("src/newlayer/bad.cpp", "", "is no layer yet"),
    ],
)
def test_arrows_that_point_up(path: str, line: str, words: str):
    (message,) = [str(finding) for finding in layers.check_includes({**TREE, path: line + "\n"})]
    assert words in message
    assert message.startswith(path)


def test_asm_stays_in_ptx():
    assert messages({**TREE, "kernels/ptx/more.cuh": 'asm volatile("bar.sync 0;");\n'}) == []
    (message,) = messages({**TREE, "kernels/gemm/bad.cuh": 'asm volatile("bar.sync 0;");\n'})
    assert message == "kernels/gemm/bad.cuh:1: asm and __CUDA_ARCH__ belong in kernels/ptx"
    assert len(messages({**TREE, "kernels/gemm/bad.cuh": "#if __CUDA_ARCH__ >= 1200\n"})) == 1


def test_src_does_not_know_the_simulator():
    assert messages({**TREE, "src/runtime/driver.cpp": "// sim\n"}) == []
    assert messages({**TREE, "src/api/quant.cpp": "bool similar, is_simulated;\n"}) == []
    assert len(messages({**TREE, "src/api/quant.cpp": 'if (name == "sim") {}\n'})) == 1


def test_line_numbers():
    (message,) = messages({**TREE, "src/plan/bad.cpp": "\n\n#include <cuda.h>\n"})
    assert message.startswith("src/plan/bad.cpp:3: ")
