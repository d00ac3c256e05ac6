import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.report.screen.keys import Key, KeyReader, Typed

MEANT = [
    (b"\x1b[A", [Typed(Key.UP)]),
    (b"\x1bOB", [Typed(Key.DOWN)]),
    (b"\x1b[5~", [Typed(Key.PAGE_UP)]),
    (b"\x1b[Z\t\r", [Typed(Key.BACK_TAB), Typed(Key.TAB), Typed(Key.ENTER)]),
    ("äé漢".encode(), [Typed(Key.TEXT, "ä"), Typed(Key.TEXT, "é"), Typed(Key.TEXT, "漢")]),
    (b"\x1b[200~10.0.0.7\x1b[201~q", [Typed(Key.PASTE, "10.0.0.7"), Typed(Key.TEXT, "q")]),
    (b"\x7f\x15\x0c\x1a", [Typed(Key.BACKSPACE), Typed(Key.CLEAR), Typed(Key.REDRAW), Typed(Key.SUSPEND)]),
]
# Reports of a mouse (old and new), F-keys, keys with modifiers, Alt, focus, a status line, a colour that was asked for.
JUNK = [
    b"\x1b[<35;10;5M", b"\x1b[M !!", b"\x1b[15~", b"\x1bOP", b"\x1b[[A", b"\x1b[1;5A", b"\x1bq", b"\x1b[I",
    b"\x1b[?62;22c", b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b]11;rgb:0/0/0\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x9b",
    b"\xff\xfe", b"\x01\x05",
]  # fmt: skip


def keys(*pieces: bytes) -> list[Typed]:
    reader = KeyReader()
    typed = [key for piece in pieces for key in reader.feed(piece)]
    return typed + reader.settle()


@pytest.mark.parametrize(("data", "meant"), MEANT)
def test_keys_whole_and_byte_by_byte(data: bytes, meant: list[Typed]) -> None:
    assert keys(data) == meant
    reader = KeyReader()
    pieces = [key for at in range(len(data)) for key in reader.feed(data[at : at + 1])]
    assert pieces == meant


@pytest.mark.parametrize("junk", JUNK)
def test_what_means_nothing_is_no_text(junk: bytes) -> None:
    assert keys(junk) == []
    assert keys(*(bytes([byte]) for byte in junk)) == []
    assert keys(junk + b"\x1b[B") == [Typed(Key.DOWN)]


def test_an_escape_byte_is_the_key_when_nothing_follows() -> None:
    reader = KeyReader()
    assert reader.feed(b"\x1b") == []
    assert reader.waits
    assert reader.settle() == [Typed(Key.ESCAPE)]
    assert not reader.waits
    assert reader.settle() == []
    assert keys(b"\x1b\x1b[A") == [Typed(Key.ESCAPE), Typed(Key.UP)]


def test_a_paste_is_cut_and_ends_without_its_end() -> None:
    reader = KeyReader()
    assert reader.feed(b"\x1b[200~" + b"x" * 10_000) == []
    assert reader.settle() == [Typed(Key.PASTE, "x" * 200)]
    assert reader.feed(b"q") == [Typed(Key.TEXT, "q")]


def test_ten_thousand_bytes_at_once() -> None:
    assert keys(b"\x1b[B" * 3_000 + b"jk" * 500) == [
        *[Typed(Key.DOWN)] * 3_000, *[Typed(Key.TEXT, "j"), Typed(Key.TEXT, "k")] * 500,
    ]  # fmt: skip
    assert keys(b"\x1b]" + b"a" * 10_000) == []


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*JUNK, *(data for data, _ in MEANT)]))))
def test_anything_may_come(pieces: list[bytes]) -> None:
    for typed in keys(*pieces):
        assert typed.text.isprintable() or typed.key is Key.PASTE
        assert "\x1b" not in typed.text or typed.key is Key.PASTE
