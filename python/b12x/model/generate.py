"""Text from a model: one prompt, token by token.

In: a model, a tokenizer, a prompt and a sampling rule. Out: an iterator over generated ids.
The idea: the prompt goes through the model in one pass, then every new token in a pass of its own against the KV cache.
Sampling uses a generator with its own seed on the CPU, so the same seed gives the same text on every device that
computes the same logits.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from b12x.model.config import ModelError
from b12x.model.qwen3_moe import Qwen3Moe


def pick(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    """A token id from logits [vocab]: the largest (first of equals) at temperature 0, else sampled."""
    logits = logits.float().cpu()
    if temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))


def generate_ids(
    model: Qwen3Moe, prompt: list[int], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
) -> Iterator[int]:
    """Up to `max_new_tokens` ids after `prompt` (at least one id), each made when it is asked for.

    Ends before the end-of-text token. Raises ModelError at once if prompt and new tokens do not fit the model's
    positions.
    """
    if not prompt:
        raise ModelError("the prompt is empty: it must encode to at least one token")
    limit = model.config.max_position_embeddings
    if len(prompt) + max_new_tokens > limit:
        raise ModelError(
            f"the prompt's {len(prompt)} tokens and {max_new_tokens} new ones exceed the model's {limit} positions; "
            f"ask for at most {max(limit - len(prompt), 0)} new tokens or shorten the prompt"
        )
    return _generate(model, prompt, max_new_tokens, temperature, torch.Generator().manual_seed(seed))


def _generate(
    model: Qwen3Moe, prompt: list[int], max_new_tokens: int, temperature: float, generator: torch.Generator
) -> Iterator[int]:
    cache = model.new_cache(len(prompt) + max_new_tokens)
    tokens = torch.tensor(prompt)
    for _ in range(max_new_tokens):
        token = pick(model.forward(tokens, cache, last_only=True)[-1], temperature, generator)
        if token == model.config.eos_token_id:
            return
        yield token
        tokens = torch.tensor([token])
