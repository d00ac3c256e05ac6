"""The loop, fed through a pipe by a face that answers what it is told: nothing here waits for a clock."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.capture.live.pipes import PipeSource
from eiosniff.capture.live.source import LiveSource
from eiosniff.errors import CaptureError
from eiosniff.live.face import Face, Wish
from eiosniff.live.loop import Limits, Loop, Reason
from eiosniff.live.signals import Signals
from eiosniff.model.batch import PacketBatch
from eiosniff.model.finding import Certainty, Report
from eiosniff.model.live import EventKind, LiveEvent, LiveView
from eiosniff.report import as_json
from eiosniff.report.redact import Redactor
from tests.streams import RECORDED
from tests.unit.capture.blocks import enhanced, interface, section

S = 1_000_000_000
SEED = RECORDED / "arduino/s3-arduino-old-eio4-to-v484.pcap"
FROZEN = RECORDED / "faulty/pong-missing-client-frozen.pcap"
PCAP_HEADER = 24
RECORD_HEADER = 16


def records(path: Path) -> tuple[bytes, list[bytes]]:
    """The header of a pcap file, and its packets with theirs."""
    data = path.read_bytes()
    packets, at = [], PCAP_HEADER
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        packets.append(data[at : at + RECORD_HEADER + length])
        at += RECORD_HEADER + length
    return data[:PCAP_HEADER], packets


class Recorder(Face):
    """Keeps what it is told, and then does what the test wants."""

    def __init__(self, react: Callable[["Recorder", LiveEvent], None] = lambda *_: None) -> None:
        self.events: list[LiveEvent] = []
        self.views: list[LiveView] = []
        self.said: list[str] = []
        self.reports: list[Report] = []
        self.wishes: list[Wish] = []
        self._react = react
        self._key_out, self._key_in = os.pipe()

    def fileno(self) -> int:
        return self._key_out

    def press(self, wish: Wish) -> None:
        self.wishes.append(wish)
        os.write(self._key_in, b"k")

    def typed(self) -> Sequence[Wish]:
        os.read(self._key_out, 100)
        wishes, self.wishes = self.wishes, []
        return wishes

    def tell(self, events: Sequence[LiveEvent]) -> None:
        for event in events:
            self.events.append(event)
            self._react(self, event)

    def show(self, view: LiveView) -> None:
        self.views.append(view)

    def say(self, text: str) -> None:
        self.said.append(text)

    def report(self, report: Report, now_ns: int) -> None:
        self.reports.append(report)

    def close(self) -> None:
        os.close(self._key_out)
        os.close(self._key_in)

    def kinds(self, *, of_findings: bool = False) -> list[str]:
        return [
            f"{event.kind.value} {event.finding.finding.name}" if event.finding else event.kind.value
            for event in self.events
            if not of_findings or event.finding
        ]


class Clock:
    """A real clock that can be moved on."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


class _Pipe(PipeSource):
    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__(name, descriptor, owned=True)


@contextmanager
def looping(
    face: Recorder,
    limits: Limits | None = None,
    clock: Clock | None = None,
    kind: Callable[[str, int], LiveSource] = _Pipe,
) -> Iterator[tuple[Loop, int]]:
    """A loop that reads from a pipe, and the descriptor to write to."""
    reading, writing = os.pipe()
    options = app.Options(max_sessions=500, kept_sessions=500)
    source = kind("pipe", reading)
    loop = Loop(
        source, face, options, app.chosen_rules(options),
        limits=limits or Limits(), writer=None,
        write_report=lambda report: f"{len(report.diagnoses)} diagnosis written",
        real_ns=clock or Clock(),
    )  # fmt: skip
    try:
        yield loop, writing
    finally:
        source.close()
        face.close()


def run(loop: Loop) -> Report:
    with Signals(pytest.fail) as signals:
        return loop.run(signals)


def as_text(report: Report) -> str:
    """All but the file's name."""
    for capture in report.captures:
        capture.file = capture.format = ""
    for diagnosis in report.diagnoses:
        diagnosis.finding.capture = ""
    return as_json.render(report, Redactor())


def test_at_its_end_the_report_is_that_of_analyze() -> None:
    face = Recorder()
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        os.close(writing)
        report = run(loop)
        assert loop.reason is Reason.ENDED
    assert face.reports == [report]
    assert not report.interrupted
    assert as_text(report) == as_text(app.analyze([str(SEED)], app.Options()))


def test_a_fault_is_told_while_the_capture_goes_on() -> None:
    header, packets = records(SEED)
    began: list[float] = []

    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.FINDING_NEW and len(began) == 1:
            began.append(time.monotonic())
            os.write(writing, b"".join(packets[40:]))
            os.close(writing)

    face = Recorder(react)
    with looping(face) as (loop, writing):
        os.write(writing, header + b"".join(packets[:40]))  # the first ping and close are packets 32 and 33
        began.append(time.monotonic())
        run(loop)
    assert began[1] - began[0] < 1.0
    assert face.kinds(of_findings=True) == [
        "finding-new client-ping-in-eio4",
        "finding-changed client-ping-in-eio4",
        "finding-new connect-loop",
        "finding-new no-backoff",
    ]
    (first, changed) = [event for event in face.events if event.finding and event.finding.id == "f1"]
    assert first.packet == 33
    assert changed.changes == ("occurrences", "sessions")


def test_sessions_are_told_in_the_order_of_their_packets() -> None:
    face = Recorder()
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        os.close(writing)
        run(loop)
    told = [(event.session.index, event.kind.value) for event in face.events if event.session]
    assert told == [
        (index, kind)
        for index in range(1, 5)
        for kind in ("session-opened", "session-upgraded", "session-closed")
    ]  # fmt: skip
    opened = face.events[1].session
    assert opened is not None
    assert str(opened.client.identity).startswith("arduinoWebSockets")


def test_what_does_not_come_is_told_when_it_should_have_come() -> None:
    """The last packet is a ping; in the silence after it the real clock tells that no pong comes."""
    header, packets = records(FROZEN)
    whole = app.analyze([str(FROZEN)], app.Options()).diagnoses[0].finding
    last_ping = max(item.packet for item in whole.evidence if "PING" in item.text)
    clock = Clock()

    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.SESSION_OPENED:
            clock.ahead_ns += 60 * S
        elif event.finding and event.finding.finding.name == whole.name:
            os.close(writing)

    face = Recorder(react)
    with looping(face, clock=clock) as (loop, writing):
        os.write(writing, header + b"".join(packets[:last_ping]))
        run(loop)
    assert f"finding-new {whole.name}" in face.kinds()


@pytest.mark.parametrize("count", [1, 33, 155])
def test_it_stops_after_so_many_packets_exactly(count: int) -> None:
    face = Recorder()
    with looping(face, Limits(packets=count)) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        report = run(loop)
        os.close(writing)
        assert loop.reason is Reason.COUNT
    assert report.captures[0].packets == count
    assert face.events[-1].facts["packets"] == count
    _, packets = records(SEED)
    assert report.captures[0].bytes == sum(len(packet) - RECORD_HEADER for packet in packets[:count])


def test_it_stops_when_what_it_waits_for_is_found_and_settled() -> None:
    header, packets = records(SEED)
    clock = Clock()

    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.FINDING_NEW:
            assert loop.reason is None
            clock.ahead_ns += 31 * S

    face = Recorder(react)
    with looping(face, Limits(until=frozenset({"EIO038"}), settle_ns=30 * S), clock) as (loop, writing):
        os.write(writing, header + b"".join(packets[:40]))
        run(loop)
        os.close(writing)
        assert loop.reason is Reason.FOUND


def test_it_stops_when_the_time_is_over_without_any_packet() -> None:
    clock = Clock()
    face = Recorder(lambda *_: setattr(clock, "ahead_ns", 61 * S))
    with looping(face, Limits(duration_ns=60 * S), clock) as (loop, writing):
        report = run(loop)
        os.close(writing)
        assert loop.reason is Reason.DURATION
    assert face.kinds() == ["started", "ended"]
    assert report.captures[0].packets == 0


def test_a_signal_ends_it_with_the_report_of_what_came() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.SESSION_OPENED and event.session and event.session.index == 1:
            os.kill(os.getpid(), 15)

    face = Recorder(react)
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        report = run(loop)
        os.close(writing)
        assert loop.reason is Reason.INTERRUPTED
    assert report.interrupted
    assert report.captures[0].packets > 0
    assert [diagnosis.finding.rule for diagnosis in report.diagnoses] == ["EIO038"]


def test_a_second_signal_does_not_wait() -> None:
    class LeftError(Exception):
        pass

    def leave() -> None:
        raise LeftError

    with Signals(leave) as signals:
        os.kill(os.getpid(), 2)
        assert signals.stopping
        with pytest.raises(LeftError):
            os.kill(os.getpid(), 2)


def test_a_report_can_be_written_meanwhile() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.SESSION_CLOSED and event.session and event.session.index == 1:
            face.press(Wish.WRITE_REPORT)

    class Sayer(Recorder):
        def say(self, text: str) -> None:
            super().say(text)
            os.close(writing)

    face = Sayer(react)
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes()[: 24 + 12_000])
        run(loop)
    assert face.said == ["1 diagnosis written"]


def test_nobody_reads_any_more() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind in (EventKind.SESSION_OPENED, EventKind.FINDING_NEW):
            raise BrokenPipeError

    face = Recorder(react)
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        run(loop)
        os.close(writing)
        assert loop.reason is Reason.UNREAD
    assert face.reports, "it may go elsewhere, as into the file of --output"


def test_who_goes_away_while_the_rest_is_taken_loses_nothing_to_the_report() -> None:
    """The last batch is only read after the signal, when the loop is over."""

    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.STARTED:
            os.kill(os.getpid(), 15)
            os.write(writing, SEED.read_bytes())
        elif event.kind is EventKind.SESSION_OPENED:
            raise BrokenPipeError

    class Waiting(_Pipe):
        """Nothing comes before the end."""

        def fileno(self) -> int:
            return -1

        def take(self) -> list[PacketBatch]:
            return super().take() if loop.reason else []

    face = Recorder(react)
    with looping(face, kind=Waiting) as (loop, writing):
        report = run(loop)
        os.close(writing)
    assert report.interrupted
    assert report.captures[0].packets == 156
    assert [diagnosis.finding.rule for diagnosis in report.diagnoses] == ["EIO038"]


class Lumpy(_Pipe):
    """As dumpcap: hands on all it has when it is ended, and only then tells how many packets it dropped."""

    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__(name, descriptor)
        self._last: list[PacketBatch] = []
        self._lost = 0

    @property
    def dropped(self) -> int:
        return self._lost

    def fileno(self) -> int:
        return -1

    def take(self) -> list[PacketBatch]:
        last, self._last = self._last, []
        return last

    def close(self) -> None:
        self._last, self._lost = super().take(), 7
        super().close()


def test_what_comes_as_the_capture_is_ended_counts_and_so_do_drops_that_are_told_then() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.STARTED:
            os.kill(os.getpid(), 15)

    face = Recorder(react)
    with looping(face, kind=Lumpy) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        report = run(loop)
        os.close(writing)
    (capture,) = report.captures
    assert (capture.packets, capture.dropped) == (156, 7)
    (told,) = [event for event in face.events if event.kind is EventKind.CAPTURE]
    assert told.facts == {"what": "dropped", "dropped": 7}
    (drops,) = capture.drops
    assert drops.from_ns == capture.first_ns, "they may have been dropped at any time"
    assert report.diagnoses[0].finding.certainty is Certainty.LIKELY


def test_without_room_for_another_process_the_capture_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def full() -> int:
        tries.append(1)
        clock.ahead_ns += S
        if len(tries) == 3:
            os.close(writing)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    face, clock = Recorder(), Clock()
    with looping(face, clock=clock) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        face.press(Wish.WRITE_REPORT)
        report = run(loop)
    assert len(tries) >= 3
    assert sorted(set(face.said)) == sorted(face.said), "each is told once"
    assert [text.partition(" which")[0] for text in face.said if "judges" in text] == [
        "there is no room for a process that judges,"
    ]
    assert "finding-new client-ping-in-eio4" in face.kinds()
    assert as_text(report) == as_text(app.analyze([str(SEED)], app.Options()))


def test_one_report_is_written_at_a_time() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.SESSION_CLOSED and event.session and event.session.index == 1:
            for _ in range(20):  # the key is held down
                face.press(Wish.WRITE_REPORT)

    class Sayer(Recorder):
        def say(self, text: str) -> None:
            super().say(text)
            if "written" in text and len(self.said) == 20:
                os.close(writing)

    face = Sayer(react)
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes()[: 24 + 12_000])
        run(loop)
    assert face.said == ["a report is being written already"] * 19 + ["1 diagnosis written"]


def test_a_bug_loses_nothing_of_what_was_found() -> None:
    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.SESSION_CLOSED and loop.reason is None:
            raise ZeroDivisionError

    face = Recorder(react)
    with looping(face) as (loop, writing):
        os.write(writing, SEED.read_bytes())
        with pytest.raises(ZeroDivisionError):
            run(loop)
        os.close(writing)
    assert [diagnosis.finding.rule for diagnosis in face.reports[0].diagnoses] == ["EIO038"]
    assert face.events[-1].facts["reason"] == "eiosniff itself failed"


def test_packets_that_cannot_be_decoded_do_not_end_a_capture_of_several_kinds() -> None:
    _, packets = records(SEED)
    told = [enhanced(packet[RECORD_HEADER:], timestamp=number, number=1) for number, packet in enumerate(packets)]

    def react(face: Recorder, event: LiveEvent) -> None:
        if event.kind is EventKind.STARTED:
            os.write(writing, section() + interface(link_type=189) + interface() + enhanced(b"x" * 60))
            loop._take()
            os.write(writing, b"".join(told))
            os.close(writing)

    face = Recorder(react)
    with looping(face) as (loop, writing):
        report = run(loop)
    assert report.sessions_total == 4


def test_a_capture_of_an_unknown_kind_says_so_at_once() -> None:
    with looping(Recorder()) as (loop, writing):
        os.write(writing, section() + interface(link_type=189) + enhanced(b"x" * 60))
        with pytest.raises(CaptureError, match="cannot decode packets of link type"):
            run(loop)
        os.close(writing)
