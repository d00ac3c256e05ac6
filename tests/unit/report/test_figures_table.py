"""The table of how long answers take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eiosniff.model.finding import Answers, Diagnosis, Report, Totals
from eiosniff.model.messages import AckFigures
from eiosniff.model.provenance import Side
from tests.unit.report.builders import MS, finding, report, session
from tests.unit.report.test_terminal import rendered

HEADING = "How long answers take"


def answers(asked: int, *delays_ms: int) -> Answers:
    made = Answers(asked)
    for delay in delays_ms:
        made.delays.add(delay * MS)
    return made


def busy(*names: str) -> Report:
    totals = Totals()
    for at, name in enumerate(names):
        totals.acks[Side.CLIENT, name] = answers(3, at + 1, 2 * at + 2)
    totals.acks[Side.SERVER, "state"] = answers(2)
    totals.beats[Side.SERVER] = answers(20, *range(1, 21))
    return report(totals=totals)


def test_the_table() -> None:
    text = rendered(busy("save", "load"), figures=True)
    assert text[text.index(HEADING) :].split("\n\n")[0].split("\n") == [
        "How long answers take, in all sessions",
        "    answer to         by      times   median      p95    worst  missing",
        "    load              server      2   2.0 ms   4.0 ms   4.0 ms  1",
        "    save              server      2   1.0 ms   2.0 ms   2.0 ms  1",
        "    state             client      0        -        -        -  2",
        "    (heartbeat)       client     20    10 ms    19 ms    20 ms",
    ]


def test_it_is_shown_if_it_is_asked_for_or_a_finding_is_about_it() -> None:
    made = busy("save")
    assert HEADING not in rendered(made)
    made.diagnoses.append(Diagnosis(finding(name="duplicate-event"), [finding(name="ack-slow")]))
    assert HEADING in rendered(made)
    assert "Nobody asked" in rendered(report(), figures=True)


def test_many_events_are_cut_to_the_slowest() -> None:
    text = rendered(busy(*(f"e{at}" for at in range(50))), figures=True)
    assert "    e49 " in text
    assert "    e3 " not in text
    assert "... and 31 more events" in text
    assert "(heartbeat)" in text


@given(st.text(st.characters(), max_size=400))
def test_names_from_the_wire_fit_and_are_harmless(name: str) -> None:
    for width in (80, 120):
        for line in rendered(busy(name, "온도" * 40), width, figures=True).split("\n"):
            assert line.isprintable()
            assert cell_len(line) <= width


@pytest.mark.parametrize("times", [1, 2])
def test_all_sessions_count(times: int) -> None:
    totals = Totals()
    for _ in range(times):
        ledger = session()
        figures = AckFigures()
        figures.asked = 2
        figures.delays.add(7 * MS)
        ledger.messages.acks_of_client = {"save": figures}
        totals.add(ledger)
    saved = totals.acks[Side.CLIENT, "save"]
    assert (saved.asked, saved.delays.count) == (2 * times, times)
