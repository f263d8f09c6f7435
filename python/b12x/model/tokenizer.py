"""tokenizer.json of a model folder: text -> ids, and ids -> text as they arrive.

In: HF's `tokenizers` format. Out: ids, or pieces of text whose concatenation is the whole text: a character whose bytes
come in several tokens is held back until it is complete.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from b12x.model.config import ModelError

_INCOMPLETE = "\ufffd"  # what a decoder writes for bytes that are not yet a character


class TextTokenizer:
    """Encodes prompts and decodes generated ids. Raises ModelError if the folder's tokenizer cannot be used."""

    def __init__(self, folder: Path, vocab_size: int) -> None:
        path = folder / "tokenizer.json"
        if not path.exists():
            raise ModelError(f"{path}: no such file")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the only class that tokenizers raises
            raise ModelError(f"{path}: not a tokenizer of HF's `tokenizers`: {error}") from None
        if self._tokenizer.get_vocab_size() > vocab_size:
            raise ModelError(f"{path}: has {self._tokenizer.get_vocab_size()} tokens, the model knows {vocab_size}")

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)


class TextStream:
    """Turns ids that arrive one by one into text that can be printed at once."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer, self._ids, self._printed = tokenizer, [], 0

    def push(self, token: int) -> str:
        """The text that `token` completes; empty while a character is incomplete."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        if text.endswith(_INCOMPLETE):
            return ""
        return self._advance(text)

    def finish(self) -> str:
        """What was held back."""
        return self._advance(self._tokenizer.decode(self._ids))

    def _advance(self, text: str) -> str:
        piece, self._printed = text[self._printed :], len(text)
        return piece
