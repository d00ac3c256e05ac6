"""What sizes and times of TLS connections tell: shared by the rules on those without keys. All of it is only possible.

TLS hides what is said, not how much: with the ciphers of today (AEAD) a record is longer than its content by a number
of bytes that the cipher suite tells (RFC 8446, section 5.2; RFC 5288, 6655 and 7905), unless somebody pads. So a
WebSocket frame (RFC 6455, section 5.2) with one character has 3 bytes from a server and, masked, 7 from a client: that
is PING and PONG of Engine.IO, and of nothing else that is common. Pings of WebSocket itself have 2 and 6 bytes or more,
those of MQTT 2, those of HTTP/2 17. Polling and WebSocket over HTTP/2 are not told from other requests.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from eiosniff.model.finding import Certainty, Evidence
from eiosniff.model.opaque import Exchange, OpaqueConnection, Records, Rhythm, only_length
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import NS_PER_MS, NS_PER_S
from eiosniff.model.unread import Encrypted
from eiosniff.rules.api import Hit
from eiosniff.rules.encrypted import is_meant, shown
from eiosniff.rules.keys import keys_of_one

# Bytes of a frame with one character, by who sends it.
PING_OF: Final = {Side.SERVER: 3, Side.CLIENT: 7}
# Frames with which Socket.IO begins: "40" of the client, and the answer with an id of 20 characters; "2probe", "3probe"
# and "5" of an upgrade; "40" of the server, behind its open packet, up to Socket.IO 2.
_CONNECT: Final = 8
_CONNECTED: Final = 34
_PROBE: Final = 12
_PROBED: Final = 8
_UPGRADE: Final = 7
_OPEN: Final = range(70, 160)
_CONNECTED_UNASKED: Final = 4
# A close frame of a server has a status code or none; a close_notify is an alert of two bytes (in TLS 1.2 it shows).
_CLOSES: Final = (2, 4)
_ALERT: Final = 21
_OPENING_NS: Final = 5 * NS_PER_S
AT_ONCE_NS: Final = NS_PER_S
_SHORTEST_NS: Final = 2 * NS_PER_S
_ANSWERS_NS: Final = 5 * NS_PER_S
_FEWEST_BEATS: Final = 3
_SLACK_NS: Final = 60 * NS_PER_MS
_TLS_1_3: Final = 0x0304
_TLS_1_2: Final = 0x0303
# Of TLS 1.2: GCM, and CCM and CCM_8 (RFC 6655, 7251), which small devices take.
_GCM: Final = (*range(0x009C, 0x00AE), *range(0xC02B, 0xC033), 0xD001, 0xD002)
_CCM: Final = (*range(0xC09C, 0xC0A0), *range(0xC0A4, 0xC0A8), 0xC0AC, 0xC0AD, 0xD005)
_CCM_8: Final = (*range(0xC0A0, 0xC0A4), *range(0xC0A8, 0xC0AC), 0xC0AE, 0xC0AF, 0xD003)


@dataclass(frozen=True, slots=True)
class Pair:
    """The connections of one client to one server, in order; `client` is its address."""

    client: str
    entry: Encrypted
    connections: list[OpaqueConnection]


@dataclass(frozen=True, slots=True)
class Beats:
    """What looks like the heartbeat of Engine.IO, on one connection: `revision` 4 if the server pings, 3 (or older) if
    the client does."""

    connection: OpaqueConnection
    rhythm: Rhythm
    revision: int
    period_ns: int


def pairs(summary: CaptureSummary) -> Iterator[Pair]:
    """Connections that may hide Socket.IO, by client and server; none that keys opened."""
    found: dict[tuple[str, Encrypted], list[OpaqueConnection]] = {}
    for connection in summary.opaque:
        entry = connection.entry
        if is_meant(summary, entry) and not entry.decrypted:
            found.setdefault((connection.client.address, entry), []).append(connection)
    for (client, entry), connections in found.items():
        yield Pair(client, entry, sorted(connections, key=lambda each: each.opened.number))


def possible(pair: Pair, proof: Iterable[Evidence], count: int, **values: Any) -> Hit:
    """What sizes and times tell of so many connections of a client to a server; `values` are of the rule, or other
    arguments of `Hit`."""
    return Hit(
        *proof,
        certainty=Certainty.POSSIBLE,
        doubt="it is told by sizes and times, as what is said is encrypted",
        occurrences=count,
        client=pair.client,
        server=pair.entry.server,
        where=shown(pair.entry),
        count=count,
        connections=len(pair.connections),
        keys=keys_of_one(pair.entry),
        **values,
    )


# ---------------------------------------------------------------- sizes


def overheads(connection: OpaqueConnection) -> tuple[int, ...]:
    """How much longer a record is than its content; the usual ones where the hello was not captured; none where the
    cipher hides it."""
    suite = connection.suite
    if connection.version == _TLS_1_3:
        return (9,) if suite == 0x1305 else (17,)
    if not connection.version:
        return 17, 24, 16
    if connection.version != _TLS_1_2:
        return ()
    if suite in _GCM or suite in _CCM:
        return (24,)
    return (16,) if 0xCCA8 <= suite <= 0xCCAE or suite in _CCM_8 else ()  # the first ones: ChaCha20-Poly1305


def sizes(connection: OpaqueConnection, records: Records) -> tuple[int, ...]:
    """What the content of one record alone may have; empty if that is not known."""
    length = only_length(records)
    return tuple(length - more for more in overheads(connection)) if length else ()


def _is_one_of(connection: OpaqueConnection, records: Records, wanted: Iterable[int]) -> bool:
    return not set(wanted).isdisjoint(sizes(connection, records))


def beats(connection: OpaqueConnection) -> Beats | None:
    """The heartbeat of a connection: three of the same side, at least, evenly, each answered by one frame of one
    character."""
    for rhythm in connection.rhythms:
        side, period_ns = rhythm.side, rhythm.tally.period_ns
        if rhythm.tally.count < _FEWEST_BEATS or period_ns is None or not rhythm.answers:
            continue
        answer = max(rhythm.answers, key=lambda length: rhythm.answers[length])
        fits = any(
            (rhythm.length - more, answer - more) == (PING_OF[side], PING_OF[side.other])
            for more in overheads(connection)
        )
        pauses = rhythm.tally.pauses
        even = pauses.quantile(0.25) >= 0.9 * period_ns and pauses.quantile(0.75) <= 1.1 * period_ns
        answered = rhythm.answers[answer] >= rhythm.tally.count - 1 and rhythm.delays.median < _ANSWERS_NS
        if fits and even and answered:
            return Beats(connection, rhythm, 4 if side is Side.SERVER else 3, period_ns)
    return None


def begins_like_socketio(connection: OpaqueConnection) -> bool:
    """Whether the first frames have the sizes of those with which Socket.IO begins over WebSocket, or its heartbeat
    shows itself."""
    first_ns = connection.opened.ts_ns
    said = [
        (piece.side, set(sizes(connection, piece.records)))
        for piece in connection.opening
        if piece.place.ts_ns - first_ns < _OPENING_NS and only_length(piece.records)
    ]
    thirds = [*said[2:], (Side.CLIENT, set())]
    for (one, sizes_1), (two, sizes_2), (three, sizes_3) in zip(said, said[1:], thirds, strict=False):
        sides = one, two
        if sides == (Side.CLIENT, Side.SERVER) and _CONNECT in sizes_1 and _CONNECTED in sizes_2:
            return True
        probed = sides == (Side.CLIENT, Side.SERVER) and _PROBE in sizes_1 and _PROBED in sizes_2
        if probed and three is Side.CLIENT and _UPGRADE in sizes_3:
            return True
        if sides == (Side.SERVER, Side.SERVER) and _CONNECTED_UNASKED in sizes_2 and not sizes_1.isdisjoint(_OPEN):
            return True
    return beats(connection) is not None


# ---------------------------------------------------------------- ends


def _closing(connection: OpaqueConnection) -> tuple[Exchange | None, Exchange | None]:
    """The exchange in which a connection ended, if it begins with the end, and the last one before that."""
    last, ended = connection.exchange, connection.ended
    if last is None or ended is None:
        return None, None
    alert = bool(last.records) and last.records[0][0] == _ALERT
    if ended.ts_ns - last.begun.ts_ns < AT_ONCE_NS and (alert or _is_one_of(connection, last.records, _CLOSES)):
        return last, connection.before
    return None, last


def silence_before_end(connection: OpaqueConnection) -> tuple[Side | None, int]:
    """Who ended a connection, and how long nothing had been said then (ns)."""
    closing, _ = _closing(connection)
    if closing is not None:
        return closing.side, closing.silence_ns
    return connection.ended_by, connection.idle_ns


def pinged_and_closed(connection: OpaqueConnection) -> Exchange | None:
    """The ping of the client after a silence, upon which the server closed the connection at once; None if that is not
    what happened."""
    last, ended = connection.exchange, connection.ended
    if last is None or ended is None or last.side is not Side.CLIENT or last.silence_ns < _SHORTEST_NS:
        return None
    if ended.ts_ns - last.begun.ts_ns >= AT_ONCE_NS or not _is_one_of(
        connection, last.records, (PING_OF[Side.CLIENT],)
    ):
        return None
    if last.answer is None:
        return last if connection.ended_by is Side.SERVER else None
    closes = _is_one_of(connection, last.answer_records, _CLOSES) or not only_length(last.answer_records)
    ponged = _is_one_of(connection, last.answer_records, (PING_OF[Side.SERVER],))
    return last if closes and not ponged else None


def ping_left_alone(connection: OpaqueConnection) -> tuple[Exchange, int] | None:
    """The last ping of the server, if the client did not answer it and the server ended the connection; and after how
    long (ns)."""
    _, ping = _closing(connection)
    ended = connection.ended
    if ping is None or ended is None or ping.side is not Side.SERVER or ping.answer is not None:
        return None
    side, waited_ns = silence_before_end(connection)
    alone = ping.packets_server == 1 and ping.silence_ns and waited_ns >= AT_ONCE_NS
    if side is not Side.SERVER or not alone or not _is_one_of(connection, ping.records, (PING_OF[Side.SERVER],)):
        return None
    return ping, waited_ns


# ---------------------------------------------------------------- what several connections have in common


def alike(
    connections: Iterable[OpaqueConnection], key: Callable[[OpaqueConnection], int], spread: float, fewest: int
) -> list[OpaqueConnection]:
    """The most of these, in order, whose times (ns) are within a share of each other; empty if they are too few."""
    by_time = sorted(connections, key=key)
    best: list[OpaqueConnection] = []
    low = 0
    for high in range(len(by_time)):
        while key(by_time[high]) > key(by_time[low]) * (1 + spread) + _SLACK_NS:
            low += 1
        if high + 1 - low > len(best):
            best = by_time[low : high + 1]
    return sorted(best, key=lambda each: each.opened.number) if len(best) >= fewest else []


def comes_back(pair: Pair, connection: OpaqueConnection, within_ns: int) -> bool:
    """Whether the client opens another connection to that server soon after the end of one."""
    ended = connection.ended
    return ended is not None and any(
        0 <= other.opened.ts_ns - ended.ts_ns <= within_ns for other in pair.connections if other is not connection
    )


def usual(times_ns: Iterable[int]) -> int:
    """Their median (ns)."""
    return round(median(times_ns))


def usual_pause(places: Iterable[PacketRef]) -> int:
    """From one of these to the next (ns)."""
    return usual(later.ts_ns - each.ts_ns for each, later in itertools.pairwise(places))


def pings_of_clients(pair: Pair) -> list[tuple[OpaqueConnection, Exchange]]:
    """Two connections, at least, that the server closed upon a ping of the client after the same silence."""
    found = {each: ping for each in pair.connections if (ping := pinged_and_closed(each)) is not None}
    group = alike(found, lambda each: found[each].silence_ns, 0.05, 2)
    return [(each, found[each]) for each in group]


def pings_left_alone(pair: Pair) -> list[tuple[OpaqueConnection, Exchange, int]]:
    """Two connections, at least, that the server ended the same time after a ping that was not answered."""
    found = {each: ping for each in pair.connections if (ping := ping_left_alone(each)) is not None}
    group = alike(found, lambda each: found[each][1], 0.05, 2)
    return [(each, *found[each]) for each in group]


def cuts(pair: Pair, by_age: bool) -> list[OpaqueConnection]:
    """Three connections, at least, that the server's side ended after the same silence (or at the same age, whatever
    was said), and that the client opened again at once."""
    found = []
    for each in pair.connections:
        side, silence_ns = silence_before_end(each)
        if (
            side is not Side.SERVER
            or pinged_and_closed(each)
            or ping_left_alone(each)
            or not begins_like_socketio(each)
        ):
            continue
        survived = each.longest_ns if each.exchange is not None and each.exchange.silence_ns < each.longest_ns else 0
        by_silence = silence_ns >= _SHORTEST_NS and survived <= 1.02 * silence_ns
        if by_silence != by_age and (by_silence or each.lifetime_ns >= _OPENING_NS):
            found.append(each)
    key = (lambda each: each.lifetime_ns) if by_age else (lambda each: silence_before_end(each)[1])
    group = alike(found, key, 0.01, 3)
    back = [each for each in group if comes_back(pair, each, _SHORTEST_NS)]
    return group if len(back) >= len(group) - 1 and len(back) >= 2 else []


def told(summary: CaptureSummary) -> bool:
    """Whether any of it tells of a possible fault."""
    return any(
        pings_of_clients(pair) or pings_left_alone(pair) or cuts(pair, False) or cuts(pair, True) or refusals(pair)
        for pair in pairs(summary)
    )


# ---------------------------------------------------------------- refusals

_SHORT_NS: Final = 2 * NS_PER_S
_SMALL_ANSWER: Final = 2_000
# From one opening to the next, as clients of Socket.IO wait: 1 s, twice as long each time, up to 5 s, each half as long
# or half as long again (their `reconnectionDelay`, `reconnectionDelayMax` and `randomizationFactor`).
_BACKOFF_NS: Final = tuple(
    (round(low * NS_PER_S), round(high * NS_PER_S)) for low, high in ((0.4, 1.8), (0.9, 3.4), (1.9, 5.5), (3.8, 5.7))
)


def refusals(pair: Pair) -> list[OpaqueConnection]:
    """Connections in a row that end soon after one request of the same size: all reset by the server, without an
    answer; or opened again and again as late as clients of Socket.IO wait, longer each time."""
    resets = [each for each in pair.connections if _is_reset(each)]
    if len(resets) >= 3 and len(resets) >= 0.8 * len(pair.connections):
        return resets
    row = [each for each in pair.connections if _is_refused(each)]
    if len(row) < 0.8 * len(pair.connections):
        return []
    gaps = [later.opened.ts_ns - each.opened.ts_ns for each, later in itertools.pairwise(row)]
    for at in range(len(gaps) - len(_BACKOFF_NS) + 1):
        grows = all(low <= gaps[at + step] <= high for step, (low, high) in enumerate(_BACKOFF_NS))
        if grows and gaps[at] * 2 < gaps[at + 3] and len({_request(each) for each in row[at : at + 5]}) == 1:
            return row[at:]
    return []


def is_reset(connection: OpaqueConnection) -> bool:
    """Whether it was the server that reset it."""
    return connection.reset and connection.ended_by is Side.SERVER


def _is_reset(connection: OpaqueConnection) -> bool:
    last = connection.opening[-1] if connection.opening else None
    asked = last is not None and last.side is Side.CLIENT and _request(connection) > 0
    return is_reset(connection) and asked and connection.lifetime_ns < _SHORT_NS


def _is_refused(connection: OpaqueConnection) -> bool:
    answers = [sum(length for _, length in piece.records) for piece in connection.opening if piece.side is Side.SERVER]
    short = connection.ended is not None and connection.lifetime_ns < _SHORT_NS and connection.exchanges == 1
    return short and _request(connection) > 0 and bool(answers) and answers[-1] < _SMALL_ANSWER


def _request(connection: OpaqueConnection) -> int:
    """The length of the longest record of the client that is encrypted: that of its request."""
    lengths = [
        length
        for piece in connection.opening
        if piece.side is Side.CLIENT
        for kind, length in piece.records
        if kind == 23 and length > 100
    ]
    return max(lengths, default=0)
