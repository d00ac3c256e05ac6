"""What a rule is written with, and the words that several rules use."""

import pytest

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.rules import registry
from eiosniff.rules.api import HEADINGS, Hit, evidence, rule, sections
from eiosniff.rules.phrases import closing_words, in_ms, quoted

PLACE = PacketRef(7, 1_000_000)


def test_a_rule_keeps_its_function_and_its_documentation() -> None:
    def check(session: Session) -> object:
        yield Hit()

    made = rule(
        code="EIO900", name="made-up", subject=Session, severity=Severity.INFO, since="1", title="T {x}", message="",
        why="", fix=["a"],
    )(check)  # type: ignore[arg-type]  # fmt: skip
    assert (made.check, made.fix, made.explains, made.tolerates_gaps) == (check, ("a",), (), False)
    assert made.hence == "T {x}"
    assert made.info().title == "What a rule is written with, and the words that several rules use"


def test_sections_of_the_documentation() -> None:
    text = "Summary.\n\n## What it reports\nThis.\n\n## Why it matters\nThat,\nand more.\n"
    assert sections(text) == (("What it reports", "This."), ("Why it matters", "That,\nand more."))


def test_evidence_names_the_side() -> None:
    assert evidence(PLACE, Side.SERVER, "x") == (7, 1_000_000, "server", "x")
    assert evidence(PLACE, None, "x")[2] == ""


def test_all_rules_come_by_code_once() -> None:
    codes = [known.code for known in registry.all_rules()]
    assert codes == sorted(set(codes))
    assert len(HEADINGS) == 6


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ms"),
        (1, "<0.1 ms"),
        (50_000, "0.1 ms"),
        (840_000, "0.8 ms"),
        (12_000_000, "12 ms"),
        (999_400_000, "999 ms"),
        (999_600_000, "1.0 s"),
        (9_960_000, "10 ms"),
        (1_500_000_000, "1.5 s"),
        (45_000_000_000, "45.0 s"),
    ],
)
def test_durations(duration_ns: int, text: str) -> None:
    assert in_ms(duration_ns) == text


@pytest.mark.parametrize("how", CloseHow)
def test_there_are_words_for_every_end(how: CloseHow) -> None:
    assert closing_words(Closing(Side.SERVER, how, PLACE))


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (None, "", "closes, no status code"),
        (1009, "", "closes, code 1009"),
        (1000, "bye", 'closes, code 1000 "bye"'),
    ],
)
def test_words_for_a_close_frame(code: int | None, reason: str, words: str) -> None:
    assert closing_words(Closing(Side.SERVER, CloseHow.WS_CLOSE, PLACE, code, reason)) == words


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"", '""'),
        (b"2", '"2"'),
        (b"x" * 40, f'"{"x" * 40}"'),
        (b"x" * 41, f'"{"x" * 40}..."'),
        (b"\xff\x00", '"\\xff\x00"'),
        (("x" * 39 + "\u20ac").encode(), f'"{"x" * 39}..."'),  # not half a character
    ],
)
def test_quotes(said: bytes, text: str) -> None:
    assert quoted(said) == text
