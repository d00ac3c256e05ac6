"""Connections whose end nobody saw: when they are over, and what may still come of them."""

import gc
from collections.abc import Callable

import pytest

from eiosniff.decode.tcp import idle
from eiosniff.decode.tcp.gone import REMEMBERED_MS
from eiosniff.model.tcp import EndKind
from tests.streams import CLIENT, SERVER, Followed, Follower, Sent, follow
from tests.unit.decode.tcp_talk import ASKED, GOODBYE, HELLO, TALK, C, S, followed, kinds

pytestmark = pytest.mark.interpreted

MINUTE, HOUR = 60_000, 3_600_000
OTHER = CLIENT + 1
SYN = HELLO[0]


def at(ms: float, sent: list[Sent]) -> list[Sent]:
    """These segments, a millisecond between two."""
    return [
        Sent(each.side, each.flags, each.seq, each.data, each.ack, ms + index, each.wire, each.client, each.server)
        for index, each in enumerate(sent)
    ]


def tick(ms: float, client: int = OTHER) -> Sent:
    """Anything of another connection."""
    return Sent(C, "A", 1, b"x", at_ms=ms, client=client, server=SERVER + 1)


def ticks(until_ms: int, since_ms: int = 0, every_ms: int = MINUTE) -> list[Sent]:
    """Another connection, that goes on and on."""
    return [tick(ms) for ms in range(since_ms + every_ms, until_ms, every_ms)]


def ours(follower: Follower) -> list[Followed]:
    return [each for each in follower.connections if CLIENT in each.flow.ends]


def ended_at(follower: Follower, sent: list[Sent]) -> list[float | None]:
    """When the connections were over, in minutes; None for those that lasted until the end."""
    last = max(each.flow.last.number for each in follower.connections)
    found: list[float | None] = []
    for each in ours(follower):
        assert each.closed is not None
        ended = sent[each.closed - 1].at_ms
        assert ended is not None
        found.append(ended / MINUTE if each.closed < last and each.closed != each.flow.last.number else None)
    return found


def test_limits() -> None:
    assert idle.SLOT_MS * 2 <= idle.TRANSITORY_MS < idle.ESTABLISHED_MS == REMEMBERED_MS


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("established", 124),
        ("closed by one side", 4),
        ("closed by one side, behind a hole", 4),
        ("answered and no more", 4),
        ("asked for", 4),
        ("known from its middle, and from one side", 4),
        ("known from its middle", 124),
    ],
)
def test_silent_connection_is_over(begins: str, ends: int) -> None:
    sent = at(
        0,
        {
            "established": [*HELLO, *TALK],
            "closed by one side": [*HELLO, *TALK, GOODBYE[0]],
            "closed by one side, behind a hole": [*HELLO, *TALK, Sent(C, "FA", ASKED + 10, ack=5000)],
            "answered and no more": HELLO[:2],
            "asked for": HELLO[:1],
            "known from its middle, and from one side": [HELLO[2]],
            "known from its middle": [HELLO[2], Sent(S, "A", 5000, ack=1000)],
        }[begins],
    )
    sent += ticks(130 * MINUTE)
    follower = followed(sent)
    (minutes,) = ended_at(follower, sent)
    assert minutes is not None
    assert ends <= minutes <= ends + 2
    (each,) = ours(follower)
    assert EndKind.CAPTURE_ENDED in kinds(each) or not each.chunks[0]


def test_what_comes_in_time_keeps_it() -> None:
    sent = at(0, [*HELLO, *TALK])
    for hour in (1, 2, 4, 6):
        sent += [
            *ticks(hour * HOUR, (hour - 1 if hour < 3 else hour - 2) * HOUR),
            Sent(C, "A", ASKED - 1, at_ms=hour * HOUR),
        ]
    assert ended_at(followed(sent), sent) == [None]


def test_what_comes_later_is_a_new_connection() -> None:
    sent = [*at(0, [*HELLO, *TALK]), *ticks(3 * HOUR), Sent(C, "PA", ASKED, b"more", at_ms=3 * HOUR)]
    first, second = ours(followed(sent))
    assert first.data(C) == TALK[0].data
    assert second.data(C) == b"more"
    assert second.flow.midstream


def test_it_is_over_even_if_its_own_packet_is_the_first_one_after() -> None:
    sent = [*at(0, [*HELLO, *TALK, GOODBYE[0]]), *ticks(4 * MINUTE), Sent(S, "FA", 5019, at_ms=30 * MINUTE)]
    first, second = ours(followed(sent))
    assert first.closed == len(sent)
    assert kinds(first) == [EndKind.FIN, EndKind.CAPTURE_ENDED]
    assert second.flow.first.number == len(sent)


def test_syn_that_is_repeated_late_is_the_same() -> None:
    sent = at(0, [SYN])
    for minute in (1, 2, 20):
        sent += [*ticks(minute * MINUTE, sent[-1].at_ms and int(sent[-1].at_ms)), *at(minute * MINUTE, [SYN])]
    (each,) = ours(followed(sent))
    assert each.flow.syn_repeats == 2


def test_answer_to_a_forgotten_syn_is_another_connection() -> None:
    sent = [*at(0, [SYN]), *ticks(20 * MINUTE), *at(20 * MINUTE, [HELLO[1], *TALK])]
    assert [each.data(C) for each in ours(followed(sent))] == [b"", TALK[0].data]


def test_flood_leaves_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are a thousand times smaller; a connection ages by 2 ms with each packet."""
    for name in ("ESTABLISHED_MS", "TRANSITORY_MS", "SLOT_MS"):
        monkeypatch.setattr(idle, name, getattr(idle, name) // 1000)
    flood = [Sent(C, "S", 999, at_ms=number / 1000, client=CLIENT + number) for number in range(1000)]
    follower = follow(flood, 100, close=False)
    assert len(follower.table._flows) <= 180
    assert follower.table.connections == 1000
    followed(flood)


def test_flood_does_not_touch_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ESTABLISHED_MS", "TRANSITORY_MS", "SLOT_MS"):
        monkeypatch.setattr(idle, name, getattr(idle, name) // 1000)
    monkeypatch.setattr(idle, "ESTABLISHED_MS", 60_000)
    sent = at(0, [*HELLO])
    sent += [Sent(C, "S", 999, at_ms=10 + number / 1000, client=OTHER + number) for number in range(1000)]
    sent += at(20, [*TALK, *GOODBYE])
    (each,) = ours(followed(sent))
    assert not each.flow.midstream
    assert each.data(C) == TALK[0].data


YEARS = 12 * 365 * 24 * HOUR


def _lone(sent: list[Sent]) -> list[Sent]:
    return [*sent[:20], tick(YEARS), *sent[20:]]


def _set(by_ms: int) -> Callable[[list[Sent]], list[Sent]]:
    def moved(sent: list[Sent]) -> list[Sent]:
        later = [
            Sent(
                each.side,
                each.flags,
                each.seq,
                each.data,
                each.ack,
                (each.at_ms or 0) + by_ms,
                None,
                each.client,
                each.server,
            )
            for each in sent[20:]
        ]
        return [*sent[:20], *later]

    return moved


@pytest.mark.parametrize("change", [_lone, _set(YEARS), _set(-YEARS), _set(5 * HOUR), _set(-5 * HOUR)])
def test_clock_that_is_set_ends_nothing_and_stops_nothing(change: Callable[[list[Sent]], list[Sent]]) -> None:
    sent = at(YEARS / 2, [*HELLO, *TALK])
    sent += [tick(YEARS / 2 + ms) for ms in range(MINUTE, 10 * HOUR, MINUTE)]
    changed = change(sent)
    follower = followed(changed)
    (each,) = ours(follower)
    assert each.closed is not None
    minutes = each.closed - len([*HELLO, *TALK])  # there is a packet a minute
    assert 124 <= minutes <= 129


@pytest.mark.parametrize("set_ms", [HOUR // 2, -HOUR // 2])
def test_clock_that_is_set_a_little_errs_by_so_little(set_ms: int) -> None:
    sent = at(HOUR, [*HELLO, *TALK])
    sent += [tick(HOUR + ms) for ms in range(MINUTE, 10 * HOUR, MINUTE)]
    (each,) = ours(followed(_set(set_ms)(sent)))
    assert each.closed is not None
    minutes = each.closed - len([*HELLO, *TALK])
    assert 124 - 30 - 2 <= minutes <= 124 + 30 + 4


def test_not_followed_and_open_is_forgotten_too() -> None:
    """What is said later is looked at again, as of any connection whose beginning was not captured."""
    sent = [*at(0, [*HELLO, *TALK]), *ticks(3 * HOUR), Sent(C, "PA", ASKED, b"more", at_ms=3 * HOUR)]
    follower = followed(sent, choose=lambda data: data == b"more")
    assert [each.data(C) for each in follower.connections if each.chunks[0]] == [b"more"]
    soon = [*at(0, [*HELLO, *TALK]), *ticks(2 * HOUR), Sent(C, "PA", ASKED, b"more", at_ms=2 * HOUR)]
    assert not followed(soon, choose=lambda data: data == b"more").followed


def test_what_is_over_is_freed_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        before = sum(type(each).__name__ == "Flow" for each in gc.get_objects())
        sent = at(0, [*HELLO, *TALK]) + at(10, [Sent(C, "S", 999, client=CLIENT + 5)]) + ticks(130 * MINUTE)
        table = follow(sent, 7, close=False)
        table.followed.clear()
        assert sum(type(each).__name__ == "Flow" for each in gc.get_objects()) - before <= 1
    finally:
        gc.enable()
