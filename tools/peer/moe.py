"""b12x 0.7.2's fused MoE for few tokens (micro), held against a model in float64 that quantises where it does.

In: a case with tokens and, where they are not the recorded launches' defaults, E, topk, k, n. Out: a Problem. Per pair
that is routed: x to NVFP4, gate and up by w13 (up's rows first), silu(gate) * up to bf16 and to NVFP4, down by w2, each
slice of 128 rounded to bf16, times the router's weight, added in bf16. The kernel approximates reciprocals and adds in
any order, so the model is a bound and no bit pattern.
"""

from __future__ import annotations

import numpy as np
from case import Case
from nvfp4 import Operand, from_bf16, quantize, random_operand, swizzle, to_bf16
from problem import Problem, Verdict

_TARGETS = {
    "a_input": "x",
    "topk_ids": "topk_ids",
    "topk_weights": "topk_weights",
    "packed_a_storage": "packed_x",
    "tma_a": "packed_x",
    "scale_storage": "x_scales",
    "tma_sfa": "x_scales",
    "barrier_count": "barrier_count",
    "barrier_epoch": "barrier_epoch",
    "tma_b_w13": "w13",
    "tma_sfb_w13": "w13_scales",
    "tma_b_down": "w2",
    "tma_sfb_down": "w2_scales",
    "row_counts": "row_counts",
    "active_expert_count": "active_expert_count",
    "weight_expert_ids": "weight_expert_ids",
    "global_to_local_expert": "global_to_local_expert",
    "input_global_scale": "input_global_scale",
    "alpha": "alpha",
    "down_alpha": "down_alpha",
    "global_scale": "global_scale",
    "scatter_output": "out",
    "token_map": "token_map",
    "token_weights": "token_weights",
}
_SLICE = 128
_WEIGHT_DEVIATION = 2.2  # of random codes under scales of 1/2 to 1
# A reciprocal that is 1 ulp off moves a value that lies at a tie to the next e2m1 code; bf16 sums round 2^-9 each.
_RELATIVE_BOUND = 0.02


def _bf16(x: np.ndarray) -> np.ndarray:
    return from_bf16(to_bf16(x.astype(np.float32)))


def _silu_up(gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    return gate / (1 + np.exp(-gate)) * up


def make(case: Case, seed: int) -> Problem:
    """Random tokens, weights and routes. Experts beyond those that are routed to hold zeros."""
    p = case.problem
    tokens, experts, topk = p["tokens"], p.get("E", 512), p.get("topk", 10)
    k, n = p.get("k", 4096), p.get("n", 256)
    pairs = tokens * topk
    random = np.random.default_rng(seed)
    x = _bf16(random.standard_normal((tokens, k)))
    routes = np.stack([random.permutation(experts)[:topk] for _ in range(tokens)])
    weights = random.random((tokens, topk), np.float32)
    weights /= weights.sum(1, keepdims=True)
    active = list(dict.fromkeys(routes.reshape(-1).tolist()))  # in the order of their first pair
    local = {expert: n for n, expert in enumerate(active)}

    x_scale, h_scale = np.float32(np.abs(x).max() / 2600), np.float32(8 / 2600)  # 2688 would put maxima at ties
    alpha = np.float32(1.5 * x_scale / (_WEIGHT_DEVIATION * k**0.5))
    down_alpha = np.float32(h_scale / (_WEIGHT_DEVIATION * n**0.5))
    w13 = {e: random_operand(random, 2 * n, k, 0x30, 0x39) for e in active}
    w2 = {e: random_operand(random, k, n, 0x30, 0x39) for e in active}

    def packed(operands: dict[int, Operand], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        values = np.zeros((experts, rows, columns // 2), np.uint8)
        scales = np.zeros((experts, swizzle(next(iter(operands.values())).scales).size), np.uint8)
        for expert, operand in operands.items():
            values[expert], scales[expert] = operand.packed, swizzle(operand.scales)
        return values, scales

    def model() -> np.ndarray:
        out = np.zeros((tokens, k))
        for token in range(tokens):
            xq = quantize(x[token : token + 1], x_scale).values()
            for slot, expert in enumerate(routes[token]):
                product = xq @ w13[expert].values().T * float(alpha)
                h = _bf16(_silu_up(product[:, n:], product[:, :n]))
                hq, down = quantize(h, h_scale).values(), w2[expert].values()
                for first in range(0, n, _SLICE):
                    part = slice(first, first + _SLICE)
                    y = _bf16(hq[:, part] @ down[:, part].T * float(down_alpha))
                    out[token] += _bf16(y[0] * weights[token, slot])
        return out

    def verdict(result: np.ndarray) -> Verdict:
        got, want = from_bf16(result.view(np.uint16)).reshape(tokens, k).astype(np.float64), model()
        error = float(np.linalg.norm(got - want) / np.linalg.norm(want))
        cosine = float((got * want).sum() / (np.linalg.norm(got) * np.linalg.norm(want)))
        text = f"relative error {error:.2e} (at most {_RELATIVE_BOUND}), cosine {cosine:.6f}"
        return Verdict(error <= _RELATIVE_BOUND, text)

    values13, scales13 = packed(w13, 2 * n, k)
    values2, scales2 = packed(w2, k, n)
    per_expert = lambda value: np.full(experts, value, np.float32)  # noqa: E731
    zeros = lambda *shape: np.zeros(shape, np.int32)  # noqa: E731
    ids = np.arange(pairs, dtype=np.int32)
    ids[: len(active)] = active
    return Problem(
        buffers={
            "x": to_bf16(x),
            "topk_ids": np.array([local[e] for e in routes.reshape(-1).tolist()], np.int32),
            "topk_weights": weights,
            "packed_x": pairs * pairs * k // 2,
            "x_scales": pairs * -(-pairs // 128) * 128 * (k // 16),
            "barrier_count": zeros(1),
            "barrier_epoch": zeros(1),
            "w13": values13,
            "w13_scales": scales13,
            "w2": values2,
            "w2_scales": scales2,
            "row_counts": zeros(pairs),
            "active_expert_count": np.array([len(active)], np.int32),
            "weight_expert_ids": ids,
            "global_to_local_expert": 4 * experts,
            "input_global_scale": per_expert(x_scale),
            "alpha": per_expert(alpha),
            "down_alpha": per_expert(down_alpha),
            "global_scale": per_expert(h_scale),
            "out": 2 * tokens * k,
            "token_map": zeros(pairs, pairs),
            "token_weights": np.zeros((pairs, pairs), np.float32),
        },
        targets=_TARGETS,
        result="out",
        verdict=verdict,
    )
