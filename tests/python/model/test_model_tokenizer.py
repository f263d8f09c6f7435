"""Text to ids and back, also when a character arrives in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from b12x.model import TextStream, TextTokenizer

TEXTS = ["In the beginning", " naïve  word\n\n", "日本語 and 🙂🙂", "tab\there", "Ünïcödé…"]


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(nvfp4_folder: Path, text: str) -> None:
    tokenizer = TextTokenizer(nvfp4_folder, 300)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", TEXTS)
def test_stream_prints_whole_characters(nvfp4_folder: Path, text: str) -> None:
    tokenizer = TextTokenizer(nvfp4_folder, 300)
    stream = TextStream(tokenizer)
    pieces = [stream.push(token) for token in tokenizer.encode(text)]
    assert "".join(pieces) + stream.finish() == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_stream_gives_up_on_a_torn_character_at_the_end(nvfp4_folder: Path) -> None:
    tokenizer = TextTokenizer(nvfp4_folder, 300)
    torn = tokenizer.encode("a🙂")[:-1]
    stream = TextStream(tokenizer)
    assert "".join(stream.push(token) for token in torn) == "a"
    assert set(stream.finish()) == {"\ufffd"}
