import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.report.sanitise import clip, json_safe, printable


@given(st.one_of(st.text(st.characters()), st.binary()), st.none() | st.integers(1, 40))
def test_nothing_but_printable_text_of_the_right_length_comes_out(raw: str | bytes, limit: int | None) -> None:
    shown = printable(raw, limit)
    assert shown.isprintable()
    assert limit is None or len(shown) <= limit
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in shown)
    assert not any(unicodedata.bidirectional(char) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI") for char in shown)


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=50))
def test_plain_text_is_left_alone(text: str) -> None:
    shown = printable(text)
    assert shown == text or any(ord(char) == 0x2800 or ord(char) > 0x1100 for char in text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'42["chat","hi"]', '42["chat","hi"]'),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x7f\x80\x9b31m", r"\x7f\x80\x9b31m"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("hidden\ufe0f\u3164\U000e0041", r"hidden\ufe0f\u3164\U000e0041"),
        (b"\xff\xfeok\xc3", r"\xff\xfeok\xc3"),
        ("\ud800", r"\ud800"),
        ("Grüße, 소켓, 👍", "Grüße, 소켓, 👍"),
        ("\u0301x", r"\u0301x"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + r"\u0301\u0301"),
    ],
)
def test_what_steers_or_hides_shows_as_an_escape(raw: str | bytes, shown: str) -> None:
    assert printable(raw) == shown


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    assert printable("x" * 20, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("é".encode() * 1_000_000, 3) == "éé…"
    assert clip("abc", 1) == "…"


@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_safe_json_is_the_same_json(value: object) -> None:
    safe = json_safe(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(safe) == value
    assert all(line.isprintable() for line in safe.split("\n"))
