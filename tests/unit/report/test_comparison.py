"""A comparison whose peers are hostile: nothing of what they say steers a terminal, shows a secret or breaks JSON."""

import json
from io import StringIO

import pytest
from rich.console import Console

from eiosniff.model.comparison import (
    Comparison,
    Conversation,
    Difference,
    Fact,
    FactPair,
    Importance,
    Step,
    StepPair,
    Verdict,
)
from eiosniff.model.numbering import Parts
from eiosniff.model.provenance import PacketRef
from eiosniff.report import comparison, comparison_json
from eiosniff.report.comparison_words import shown_fact
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import START, capture, session

HOSTILE = "\x1b[2J\u202eevil\r\n\ud800" + "x" * 5_000


def made(fact: Fact, label: str = "") -> Comparison:
    """Two sessions that differ in one fact."""
    conversations = []
    for index in (1, 2):
        ledger = session(index)
        conversations.append(Conversation(capture(), ledger.client, ledger.server, ledger, why="chosen"))
    place = PacketRef(12, START)
    pair = FactPair(fact.name, Fact(fact.name, "well"), fact, Importance.FIRST)
    step = StepPair("connect", "Socket.IO CONNECT", label, Step("connect", label, place, ()), None, [pair])
    step.failing = step.working
    return Comparison(
        "0.1.0", *conversations, Verdict.DIFFER, [step], Difference(step, pair, "Why it is so."), diagnosis=None
    )


def text(of: Comparison, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, highlight=False, markup=False, emoji=False)
    comparison.write(of, console, Redactor())
    written = console.file
    assert isinstance(written, StringIO)
    return written.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_hostile_text_is_escaped_and_cut(width: int) -> None:
    shown = text(made(Fact(f"query {HOSTILE}", HOSTILE, quoted=HOSTILE), HOSTILE), width)
    assert shown.replace("\n", "").isprintable()
    assert "\\x1b[2J" in shown
    assert max(map(len, shown.splitlines())) <= width
    assert len(shown) < 20_000


def test_hostile_text_is_json() -> None:
    document = comparison_json.render(made(Fact(f"query {HOSTILE}", HOSTILE, quoted=HOSTILE), HOSTILE), Redactor())
    assert document.replace("\n", "").isprintable()
    assert json.loads(document)["first_difference"]["importance"] == "first"


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        (Fact("query EIO", "4", quoted="EIO"), "4"),
        (Fact("query token", "s3cr3t", quoted="token"), "[redacted]"),
        (Fact("query x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", quoted="x"), "[redacted]"),
        (Fact("header Authorization", "Bearer abc123def456"), "Bearer [redacted]"),
        (Fact("header Origin", "http://10.0.0.1:8000"), "http://10.0.0.1:8000"),
        (Fact("query EIO", "", quoted="EIO"), '""'),
        (Fact("answer", None), "not known"),
    ],
)
def test_values(fact: Fact, shown: str) -> None:
    assert shown_fact(fact, Redactor()) == shown


def test_no_rule_explains_it() -> None:
    lines = text(made(Fact("answer", "refused", bad=True), "/admin"), 120).splitlines()
    assert lines[0].startswith("PARTS  Socket.IO CONNECT /admin, answer: WORKING well (packet 12); FAILING refused")
    assert any("Why it is so." in line for line in lines)
    assert any(line.startswith(">   answer") for line in lines)


def test_packets_of_a_rotation_are_named_with_their_file() -> None:
    found = made(Fact("answer", "refused"))
    numbering = Parts()
    numbering.add("cap_1.pcap", 0)
    numbering.add("cap_2.pcap", 10)
    found.failing.capture = capture("other.pcap", numbering=numbering)
    assert "packet 12 | packet 2 of cap_2.pcap" in text(found)
    step = json.loads(comparison_json.render(found, Redactor()))["steps"][0]
    assert step["failing"]["packet"] == 2
    assert step["failing"]["capture"] == "cap_2.pcap"
