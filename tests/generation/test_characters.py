"""What is written has whole characters, and none that stand in no text: no escapes, no control characters."""

import base64
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.generation.building import KINDS, LETTERS

from lilliput import tokenizers
from lilliput.generation.bans import ban_text
from lilliput.generation.characters import Characters
from lilliput.generation.settings import SampleSettings
from lilliput.models import GPTSettings, build
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers.character import ByteTokenizer
from lilliput.tokenizers.gpt2 import GPT2Tokenizer
from lilliput.writer import Writer

TEXT = "the then other é lathe heath 日本 \x03" * 8 + LETTERS


def counted(kind: str, text: str, vocabulary: int | None = None) -> Tokenizer:
    tokenizer = tokenizers.train(kind, text, vocabulary)
    tokenizer.count([tokenizer.encode(text)])
    return tokenizer


def evenly(tokenizer: Tokenizer, start: str, length: int = 150, banned: str | None = None) -> str:
    """What a model writes that finds all tokens equally likely."""
    ids = tokenizer.encode(start).tolist()
    filters = [Characters(tokenizer).filter(len(ids))]
    if banned is not None:
        filters.insert(0, ban_text(tokenizer, banned))
    generator, read = np.random.default_rng(0), len(ids)
    for _ in range(length):
        logits_V = np.zeros(tokenizer.vocab_size, np.float32)
        for change in filters:
            logits_V = change(logits_V, ids)
        ids.append(int(generator.choice(np.flatnonzero(np.isfinite(logits_V)))))
    return TextStream(tokenizer).push_all(ids[read:])


@pytest.mark.parametrize(("kind", "vocabulary"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("known", [True, False], ids=["counted", "not counted"])
def test_what_is_written_has_whole_characters(kind: str, vocabulary: int | None, known: bool) -> None:
    tokenizer = tokenizers.train(kind, TEXT, vocabulary)
    if known:
        tokenizer.count([tokenizer.encode(TEXT)])
    text = evenly(tokenizer, "b")
    assert "\ufffd" not in text
    assert {character for character in text if unicodedata.category(character) == "Cc"} <= set("\x03\t\r\n")
    assert not text.isascii()


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_text_without_escapes_and_control_characters_gets_none(kind: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz .\n"
    text = evenly(counted(kind, letters), "b日")
    assert text.isascii()
    assert all(character.isprintable() or character in "\t\r\n" for character in text)


def test_the_end_of_text_of_gpt2_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "gpt2.tiktoken"
    path.write_text("".join(f"{base64.b64encode(bytes([value])).decode()} {value}\n" for value in range(256)))
    tokenizer = GPT2Tokenizer.from_file(path)
    (end,) = tokenizer.special
    allowed_V = Characters(tokenizer).filter(0)(np.zeros(257, np.float32), [])
    assert not np.isfinite(allowed_V[[end, *range(9), *range(0x80, 0xC2), *range(0xF5, 0x100)]]).any()
    assert np.isfinite(allowed_V[[*range(0x20, 0x7F), *range(0xC2, 0xF5)]]).all()
    assert "\ufffd" not in evenly(tokenizer, "b")


def test_every_character_can_be_spelled_and_no_control_character() -> None:
    change, pieces = Characters(ByteTokenizer()).filter(0), np.zeros(256, np.float32)
    edges = (0x20, 0x7E, 0xA0, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x10FFFF)
    for point in [*edges, *range(0xE000, 0x110000, 0x7777)]:
        data = list(chr(point).encode())
        assert all(np.isfinite(change(pieces, data[:place])[byte]) for place, byte in enumerate(data)), hex(point)
    for wrong in (b"\x1b", b"\x7f", b"\xc2\x85", b"\xc0", b"\xe0\x80", b"\xed\xa0", b"\xf4\x90", b"\xc3a"):
        assert not np.isfinite(change(pieces, list(wrong[:-1]))[wrong[-1]]), wrong


def test_a_ban_in_the_middle_of_a_character_leaves_another() -> None:
    text = evenly(counted("char", "aaabbbé", 18), "b", banned="aé")
    assert "é" in text
    assert "aé" not in text
    assert "\ufffd" not in text


def test_where_nothing_else_is_allowed_nothing_is_forbidden() -> None:
    tokenizer = counted("byte", "abc")
    logits_V = np.full(256, -np.inf, np.float32)
    logits_V[0x0E] = 0
    assert Characters(tokenizer).filter(0)(logits_V, [])[0x0E] == 0


@pytest.mark.parametrize("options", [{}, {"beams": 2}, {"match": r"[\s\S]*"}, {"top_k": 30}, {"no_repeat_ngram": 9}])
def test_a_writer_draws_no_escapes(options: dict[str, Any]) -> None:
    tokenizer = counted("byte", "abc\n")
    torch.manual_seed(0)
    model = build(GPTSettings(layers=1, width=16, heads=2), tokenizer.vocab_size, 32).eval()
    text = Writer(model, tokenizer, SampleSettings(temperature=2)).write("a", max_tokens=60, **options)
    assert text.isascii()
    assert all(character.isprintable() or character in "\t\r\n" for character in text)


def test_a_character_that_the_end_cuts_off_is_left_out() -> None:
    tokenizer = counted("char", "日本", 17)
    model = build(GPTSettings(layers=1, width=16, heads=2), tokenizer.vocab_size, 32).eval()
    for length in range(1, 8):
        assert "\ufffd" not in Writer(model, tokenizer, SampleSettings(temperature=1)).write("日", max_tokens=length)
