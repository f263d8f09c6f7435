"""b12x 0.7.2's dense GEMM: out = alpha * A B^T, held against the exact model of the tensor core.

In: a case with m, n, k. Out: a Problem. Its sums run over all of k in one accumulator, chunk by chunk, so each output
has one right value. Of large products a sample of the columns is compared bit for bit and all of it with float64.
"""

from __future__ import annotations

import numpy as np
from case import Case
from nvfp4 import exact_product, from_bf16, random_operand, swizzle, to_bf16
from problem import Problem, Verdict

_TARGETS = {
    "tma_atom_a": "a",
    "tma_atom_b": "b",
    "tma_atom_sfa": "a_scales",
    "tma_atom_sfb": "b_scales",
    "tma_atom_c": "out",
    "alpha": "alpha",
}
_EXACT_OUTPUTS = 1 << 18
# bf16 rounds to 2^-9 of a result; the accumulator loses at most 2^-22 of the sum of magnitudes at each of k / 64 steps.
_RESULT_BOUND, _STEP_BOUND = 2.0**-8, 2.0**-22


def make(case: Case, seed: int) -> Problem:
    """Random operands for NVFP4 and bf16. Raises ValueError for another format."""
    m, n, k = (case.problem[size] for size in "mnk")
    if case.problem.get("sfv", 16) != 16 or case.problem.get("c", "bfloat16") != "bfloat16":
        raise ValueError(f"{case.name}: only NVFP4 operands and bfloat16 results are known here")
    random = np.random.default_rng(seed)
    a, b = random_operand(random, m, k), random_operand(random, n, k)
    alpha = np.float32(2.0**-9 * 1.2345)

    def verdict(result: np.ndarray) -> Verdict:
        got = result.view(np.uint16).reshape(m, n)
        columns = np.sort(random.permutation(n)[: max(1, _EXACT_OUTPUTS // m)])
        chosen = b.rows(columns)
        want = to_bf16(exact_product(a, chosen) * alpha)
        differing = int((got[:, columns] != want).sum())
        values_a, values_b = a.values(), b.values()
        exact = values_a @ values_b.T * float(alpha)
        magnitude = np.abs(values_a) @ np.abs(values_b).T * float(alpha)
        bound = _RESULT_BOUND * np.abs(exact) + _STEP_BOUND * k / 64 * magnitude
        outside = int((~(np.abs(from_bf16(got) - exact) <= bound)).sum())
        text = (
            f"{differing} of {want.size} outputs differ from the exact model, {outside} of {got.size} leave the bound"
        )
        return Verdict(differing == 0 and outside == 0, text)

    return Problem(
        buffers={
            "a": a.packed,
            "b": b.packed,
            "a_scales": swizzle(a.scales),
            "b_scales": swizzle(b.scales),
            "alpha": np.full(1, alpha, np.float32),
            "out": 2 * m * n,
        },
        targets=_TARGETS,
        result="out",
        verdict=verdict,
    )
