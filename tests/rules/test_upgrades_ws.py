"""Upgrades to WebSocket that fail after the 101, and those that only look as if they did.

The conversations are written down (see `tests/unit/decode/talk_sessions.py`).
"""

import pytest

from eiosniff.model.finding import Certainty, Severity
from tests.unit.decode.talk_sessions import Talk, played, repeated

POLL_OPEN = "a> GET EIO=4&transport=polling\na< 200 open:S\nb> POST EIO=4&transport=polling&sid=S 40\nb< 200 ok\n"
JOINED = 'a> GET EIO=4&transport=polling&sid=S\na< 200 40{"sid":"x"}\n'
ASK = "w> WS EIO=4&transport=websocket&sid=S\nw< 101\n"
PROBE = "w> 2probe\nw< 3probe\n"
POLL = "a> GET EIO=4&transport=polling&sid=S\n"
NOOP = "a< 200 6\n"
CONFIRM = "w> 5\n"
BEAT = "+ 25\nw< 2\nw> 3\n"
POLLED_BEAT = "+ 25\na< 200 2\nb> POST EIO=4&transport=polling&sid=S 3\nb< 200 ok\n"
POLLS_ON = '+ 25\nb> POST EIO=4&transport=polling&sid=S 42["x"]\nb< 200 ok\n' + POLL + NOOP
CLOSED = "w< close\nw< FIN\nw> FIN\n"
LEAVES = "w> close\nw> FIN\nw< FIN\n"
HEALTHY = (POLL_OPEN, JOINED, POLL, ASK, PROBE, NOOP, CONFIRM, BEAT)


def names(*parts: str) -> list[str]:
    """What is found, whether it is decoded packet by packet or at once."""
    script = "\n".join(parts)
    found = played(script).names()
    assert played(script, late=True).names() == found
    return found


HEALTHY_UPGRADES = {
    "in order": HEALTHY,
    "probe and confirmation at once": (POLL_OPEN, ASK, "w> 2probe\nw> 5\nw< 3probe\n", BEAT),
    "probe and confirmation at once, and the answer lost on its way": (POLL_OPEN, ASK, "w> 2probe\nw> 5\nw< 6\n", BEAT),
    "the last poll had been under way for long": (POLL_OPEN, JOINED, POLL, "+ 20", ASK, PROBE, NOOP, CONFIRM, BEAT),
    "a late confirmation after a poll that was answered": (
        *(POLL_OPEN, JOINED, POLL, ASK, PROBE, NOOP, "+ 3", CONFIRM, BEAT),
    ),
    "polls one after the other, while the answer to the probe is on its way": (
        *(POLL_OPEN, JOINED, POLL, ASK, PROBE, *[NOOP, POLL, "+ 0.1"] * 12, NOOP, CONFIRM, BEAT),
    ),
    "a late answer to the probe": (POLL_OPEN, JOINED, POLL, ASK, "w> 2probe\n+ 4\nw< 3probe\n", NOOP, CONFIRM, BEAT),
    "noop first on the WebSocket": (POLL_OPEN, ASK, PROBE, CONFIRM, "w< 6\n", BEAT),
    "the client goes away in the middle of it": (POLL_OPEN, JOINED, ASK, "w> 2probe\n", LEAVES),
    "the client goes away before it could confirm": (POLL_OPEN, JOINED, ASK, PROBE, LEAVES),
    "the session is over before the WebSocket": (
        *(POLL_OPEN, JOINED, ASK, PROBE, "b> POST EIO=4&transport=polling&sid=S 1\nb< 200 ok\n+ 10\n", CLOSED),
    ),
    "the capture ends in the middle of it": (POLL_OPEN, JOINED, ASK, "w> 2probe\n"),
    "a second try after the first was closed": (
        *(POLL_OPEN, JOINED, ASK, "w> 2probe\n", LEAVES, (ASK + PROBE + CONFIRM + BEAT).replace("w", "v")),
    ),
    "nothing at all is sent over it": (POLL_OPEN, JOINED, ASK, "+ 12\n", CLOSED, POLL, "a< 200 2\n"),
}


@pytest.mark.parametrize("parts", HEALTHY_UPGRADES.values(), ids=HEALTHY_UPGRADES)
def test_what_looks_sick_and_is_not(parts: tuple[str, ...]) -> None:
    script = "\n".join(parts).replace("vebsocket", "websocket")
    assert names(script) == []


SICK_UPGRADES = {
    "closed after its time-out": ((ASK, "w> 2probe\n+ 10\n", CLOSED), "probe-unanswered"),
    "closed at once": ((ASK, "w> 40\n", CLOSED), "upgrade-incomplete"),
    "the answer instead of the question": ((ASK, "w> 3probe\n", CLOSED), "upgrade-incomplete"),
    "not a probe, and no reaction": ((ASK, "w> 40\n", "+ 6\n", LEAVES), "upgrade-incomplete"),
    "never answered": ((ASK, "w> 2probe\n+ 12\n"), "probe-unanswered"),
    "never confirmed": ((ASK, PROBE, "+ 10\n", CLOSED), "upgrade-incomplete"),
    "never confirmed, and never closed": ((ASK, PROBE, "+ 8\n"), "upgrade-incomplete"),
    "late poll": ((POLL, ASK, PROBE, "+ 2\n", NOOP, CONFIRM, BEAT), "upgrade-stalled-poll"),
    "poll in vain": ((POLL, ASK, PROBE, "+ 10\n", CLOSED), "upgrade-stalled-poll"),
    "the next poll": ((POLL, ASK, PROBE, NOOP, POLL, "+ 5\n", NOOP, CONFIRM, BEAT), "upgrade-stalled-poll"),
    "the poll is refused": ((POLL, ASK, PROBE, "+ 3\na< 400 Bad Request\n", LEAVES), "upgrade-stalled-poll"),
    "no probe, taken": ((ASK, CONFIRM, "w< 6\n", BEAT), "upgrade-without-probe"),
    "no probe, closed": ((ASK, CONFIRM, "w< close 1000\nw< FIN\nw> FIN\n"), "upgrade-without-probe"),
    "no probe, cut": ((ASK, CONFIRM, "w< FIN\nw> FIN\n"), "upgrade-without-probe"),
    "a second WebSocket": (
        (ASK, PROBE, CONFIRM, BEAT, (ASK + "w> 2probe\n" + CLOSED).replace("w", "v"), BEAT),
        "upgrade-duplicate",
    ),
    "a second WebSocket, refused": (
        (ASK, PROBE, CONFIRM, BEAT, "v> WS EIO=4&transport=websocket&sid=S\nv< 400 no\n", BEAT),
        "upgrade-duplicate",
    ),
    "another handler": ((ASK, "w> 2probe\nw< HTTP 400 Bad Request\nw< FIN\nw> FIN\n"), "double-upgrade-handler"),
    "another handler, not at once": ((ASK, PROBE, "w< HTTP 404 Not Found\n", LEAVES), "double-upgrade-handler"),
}


@pytest.mark.parametrize(("parts", "name"), SICK_UPGRADES.values(), ids=SICK_UPGRADES)
def test_one_fault_each(parts: tuple[str, ...], name: str) -> None:
    script = "\n".join((POLL_OPEN, JOINED, *parts)).replace("vebsocket", "websocket")
    assert names(script) == [name]


@pytest.mark.parametrize(
    ("tried", "goes_on", "name", "certainty"),
    [
        ("w> 2probe\n", POLLS_ON, "probe-unanswered", Certainty.LIKELY),
        ("w> 2probe\n", "+ 25\n", "probe-unanswered", Certainty.POSSIBLE),
        (PROBE, POLLS_ON, "upgrade-incomplete", Certainty.CERTAIN),
        (PROBE, "+ 25\n", "upgrade-incomplete", Certainty.POSSIBLE),
    ],
)
def test_a_phone_that_is_out_of_reach_upgrades_to_nothing(
    tried: str, goes_on: str, name: str, certainty: Certainty
) -> None:
    found = played(POLL_OPEN, JOINED, ASK, tried, goes_on).found(name)
    assert found is not None
    assert found.certainty is certainty


def test_a_refused_confirmation_leaves_the_session_on_polling() -> None:
    talk = played(POLL_OPEN, JOINED, ASK, CONFIRM, "w< close 1000\nw< FIN\nw> FIN\n", POLL, POLLED_BEAT)
    assert not talk.session.on_websocket
    assert talk.session.closing is None
    found = talk.found("upgrade-without-probe")
    assert found is not None
    assert found.severity is Severity.WARNING


def test_a_confirmation_that_the_server_takes_does_no_harm() -> None:
    talk = played(POLL_OPEN, JOINED, ASK, CONFIRM, BEAT, "w< close\nw< FIN\nw> FIN\n")
    found = talk.found("upgrade-without-probe")
    assert found is not None
    assert found.severity is Severity.INFO
    assert talk.session.on_websocket
    assert talk.session.closing is not None


def test_a_probe_that_may_be_missing_from_the_capture() -> None:
    assert played(POLL_OPEN, JOINED, ASK, "w! client\n", CONFIRM, BEAT).found("upgrade-without-probe") is None


def test_a_gap_where_the_answer_may_have_been() -> None:
    found = played(POLL_OPEN, JOINED, ASK, "w> 2probe\nw! server\n+ 10\nw> close\nw> FIN\nw< FIN\n").found(
        "probe-unanswered"
    )
    assert found is None or found.certainty is Certainty.POSSIBLE


def test_the_refusal_of_a_version_is_not_another_handler() -> None:
    talk = played("w> WS EIO=3&transport=websocket\nw< 101\nw< HTTP 400 Unsupported protocol version\nw< FIN\nw> FIN\n")
    assert talk.names() == ["eio-unsupported-ws"]


def test_another_handler_accepts_behind_the_first_frames() -> None:
    talk = Talk()
    talk.play("w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw< HTTP 101\nw> close\nw> FIN\nw< FIN\n")
    assert talk.close().names() == ["double-upgrade-handler"]
    assert talk.session.attempt is not None
    assert talk.session.attempt.inside is not None


def test_another_handler_and_a_client_that_never_gives_up() -> None:
    script = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< HTTP 400 Bad Request\nw#< FIN\nw#> FIN\n+ 0.5\n"
    for most in (1, 10_000):
        assert played(repeated(script, range(8)), most=most).names() == [
            "double-upgrade-handler + connect-loop + no-backoff"
        ]


def test_a_proxy_that_loses_its_server_may_say_so_inside() -> None:
    talk = played(POLL_OPEN, JOINED, ASK, "w> 2probe\nw< HTTP 502 Bad Gateway\nw< FIN\nw> FIN\n")
    found = talk.found("double-upgrade-handler")
    assert found is not None
    assert found.certainty is Certainty.LIKELY


OPENED = POLL_OPEN + JOINED
ASKS_FIRST = "w> WS EIO=4&transport=websocket&sid=S\n"
EARLY_FRAMES = {
    "behind the handshake by polling": (
        *("a> GET EIO=4&transport=polling\na> early 42[]\na< 400 Bad Request\na< FIN\na> FIN\n",),
        Severity.ERROR,
    ),
    "behind it, and refused after its answer": (
        *("a> GET EIO=4&transport=polling\na> early 42[]\na< 200 open:S\na< 400 Bad\na< FIN\na> FIN\n",),
        Severity.ERROR,
    ),
    "after the answer to the handshake": (
        *("a> GET EIO=4&transport=polling\na< 200 open:S\na> early 42[]\na< 400 Bad\na< FIN\na> FIN\n",),
        Severity.ERROR,
    ),
    "before the 101, and refused": (OPENED + ASKS_FIRST + "w> early 2probe\nw< 400 Bad Request\n", Severity.ERROR),
    "before the 101, and closed": (
        OPENED + ASKS_FIRST + "w> early 42[]\nw< 101\nw< close\nw< FIN\nw> FIN\n",
        Severity.ERROR,
    ),
    "before the 101, and read all the same": (
        OPENED + ASKS_FIRST + "w> early 2probe\nw< 101\nw< 3probe\nw> 5\nw< 6\n" + BEAT,
        Severity.WARNING,
    ),
}


@pytest.mark.parametrize(("script", "severity"), EARLY_FRAMES.values(), ids=EARLY_FRAMES)
def test_frames_before_the_101(script: str, severity: Severity) -> None:
    talk = played(script)
    assert talk.names()[0].partition(" + ")[0] == "ws-frame-before-101"
    found = talk.found("ws-frame-before-101")
    assert found is not None
    assert found.severity is severity


def test_a_device_that_sends_early_again_and_again() -> None:
    script = "a#> GET EIO=4&transport=polling\na#> early 42[]\na#< 400 Bad Request\na#< FIN\na#> FIN\n+ 0.5\n"
    for most in (1, 10_000):
        talk = played(repeated(script, range(8)), most=most)
        assert talk.names() == ["ws-frame-before-101 + connect-loop + no-backoff"]
        found = talk.found("ws-frame-before-101")
        assert found is not None
        assert found.occurrences == 8


@pytest.mark.parametrize(
    "script",
    [
        OPENED + ASKS_FIRST + "w< 101\nw> 2probe\nw< 3probe\nw> 5\n" + BEAT,
        OPENED + "c> GET EIO=4&transport=polling&sid=S\nc! client\nc> early 42[]\n",
        "w> GET elsewhere=1\nw< 200 fine\nw! client\nw> early 42[]\n",
    ],
    ids=["right after it", "something is missing before it", "of another service"],
)
def test_frames_that_are_not_early(script: str) -> None:
    assert played(script).found("ws-frame-before-101") is None


@pytest.mark.parametrize(
    ("tried", "name"),
    [
        (ASK + "w> 2probe\n+ 10\n" + CLOSED, "probe-unanswered"),
        (ASK + "w> 40\n" + CLOSED, "upgrade-incomplete"),
        (ASK + PROBE + "+ 10\n" + CLOSED, "upgrade-incomplete"),
        (ASK + CONFIRM + CLOSED, "upgrade-without-probe"),
        (ASK + "w> 2probe\nw< HTTP 400 Bad Request\nw< FIN\nw> FIN\n", "double-upgrade-handler"),
    ],
)
def test_why_a_session_stays_on_polling(tried: str, name: str) -> None:
    assert names(POLL_OPEN, JOINED, tried, *[POLL, POLLED_BEAT] * 2) == [f"{name} + stuck-in-polling"]
