"""What is told of sessions: by scripts that are played into the session layer, and from recordings."""

from collections import Counter

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.live.sessions import SessionTracker
from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.model.session import Session
from tests.streams import RECORDED
from tests.unit.decode.talk_sessions import Talk

OPENED, UPGRADED, CLOSED = EventKind.SESSION_OPENED, EventKind.SESSION_UPGRADED, EventKind.SESSION_CLOSED


def told(name: str, size: int, kept: int = 10_000) -> list[LiveEvent]:
    """All events of a recording that comes in batches of so many packets."""
    changed: set[Session] = set()
    options = app.Options(max_sessions=kept, kept_sessions=kept)
    analysis = app.Analysis(name, options, app.chosen_rules(app.Options(select=frozenset())), changed)
    tracker = SessionTracker()
    events: list[LiveEvent] = []
    with open_source(str(RECORDED / name), batch_size=size) as source:
        for batch in source.batches():
            analysis.stack.feed(batch)
            events.extend(tracker.update(changed, analysis.fold()))
            assert not changed
    opened = Counter(event.kind for event in events)
    assert tracker.open == opened[OPENED] - opened[CLOSED]
    return events


def short(events: list[LiveEvent]) -> list[tuple[str, int, int]]:
    return [(event.kind.value, event.session.index, event.packet) for event in events if event.session]


def test_a_session_is_opened_goes_on_over_websocket_and_ends() -> None:
    events = told("healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz", 1)
    first = [event for event in events if event.session is events[0].session]
    assert [event.kind for event in first] == [OPENED, UPGRADED, CLOSED]
    assert first[0].text == "opened over polling"
    assert first[1].text.startswith("goes on over WebSocket, after ")
    assert first[2].text.startswith("closed by the client: WebSocket close frame, no status code, after ")
    session = events[0].session
    assert session is not None
    assert session.upgraded is not None
    assert session.closing is not None
    places = [session.opened, session.upgraded, session.closing.place]
    assert [(event.packet, event.ts_ns) for event in first] == [(place.number, place.ts_ns) for place in places]


@pytest.mark.parametrize(
    "name",
    [
        "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz",
        "faulty/connect-loop-kicked-real-client.pcap",
        "proxied/tinyproxy-absolute-client-hop.pcap",
        "faulty/abandoned-session-clients-frozen.pcap",
    ],
)
def test_what_is_told_does_not_depend_on_where_batches_are_cut(name: str) -> None:
    one_by_one = told(name, 1)
    assert short(one_by_one)
    assert sorted(short(told(name, 7))) == sorted(short(one_by_one))
    assert short(told(name, 50_000)) == sorted(short(one_by_one), key=lambda each: (each[2], each[1]))


def test_a_session_that_was_seen_behind_a_proxy_too_is_told_once() -> None:
    events = told("faulty/keepalive-race-nginx-both-hops.pcap", 1)
    opened = Counter(event.session.index for event in events if event.kind is OPENED and event.session)
    assert opened
    assert set(opened.values()) == {1}
    assert 0 not in opened


def test_a_session_of_socketio_09_and_one_that_began_before_the_capture() -> None:
    texts = [event.text for event in told("faulty/capture-starts-midstream-in-session.pcap", 1)]
    assert texts[0].startswith("began before the capture, goes on over ")


class Live:
    """A script that goes on, and what is told at each step."""

    def __init__(self, most: int = 10_000) -> None:
        self.changed: set[Session] = set()
        self.talk = Talk(most=most, changed=self.changed)
        self.tracker = SessionTracker()

    def play(self, script: str) -> list[LiveEvent]:
        before = len(self.talk.retired)
        self.talk.play(script)
        gone = [each.ledger for each in self.talk.retired[before:] if isinstance(each.ledger, Session)]
        return self.tracker.update(self.changed, gone)


def test_a_session_of_which_only_silence_shows_the_end() -> None:
    live = Live(most=1)
    assert [event.kind for event in live.play("a> GET EIO=4&transport=polling\na< 200 open:A")] == [OPENED]
    opened, silent = live.play("+ 100\nb> GET EIO=4&transport=polling\nb< 200 open:B")
    assert (opened.kind, silent.kind, silent.packet) == (OPENED, CLOSED, 0)
    assert silent.text == ("silent for 100.0 s, no longer followed; nothing shows its end, after 0 ms, 1 packet")
    assert live.tracker.open == 1


def test_a_session_that_is_opened_and_let_go_in_one_batch() -> None:
    lost = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\nw#< close\nw#< FIN\nw#> FIN\n"
    live = Live(most=1)
    events = live.play("".join(lost.replace("#", str(number)) for number in range(3)))
    assert [(event.kind, event.session.index) for event in events if event.session] == [
        (OPENED, 1), (CLOSED, 1), (OPENED, 2), (CLOSED, 2), (OPENED, 3), (CLOSED, 3),
    ]  # fmt: skip
    assert live.tracker.open == 0


def test_nothing_is_told_twice() -> None:
    live = Live()
    assert live.play("a> GET EIO=4&transport=polling\na< 200 open:A")
    assert not live.play("a> GET EIO=4&transport=polling&sid=A\na< 200 2")
    (closed,) = live.play("a> POST EIO=4&transport=polling&sid=A 1\na< 200 ok")
    assert closed.text.startswith("closed by the client: Engine.IO close packet, after ")
    assert not live.play("a> GET EIO=4&transport=polling&sid=A\na< 200 6")
