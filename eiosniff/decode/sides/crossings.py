"""Finds the sessions that two captures both have, and compares what each of them shows.

A session is the same if its sid is. The packets that both places show tell how far their clocks are apart, and which
place is nearer to the clients; then each packet that left the one is looked for at the other.
"""

from typing import Final, final

from eiosniff.decode.har.entries import BROWSER
from eiosniff.decode.sides.clocks import Seen, align, is_nearer
from eiosniff.decode.sides.matching import anchors, match
from eiosniff.model.crossing import HELD_NS, Clocks, Crossing, Passage, Path, Sides, Trail, Way
from eiosniff.model.engineio import Transport
from eiosniff.model.provenance import CLIENT, SIDES, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary

# A place has to be captured for so long after a packet was sent, or it may still be on its way.
_LATEST_NS: Final = 5_000_000_000
# What is sent when the other side is about to end the session does not arrive any more: there and back, and so much.
_GOODBYE_NS: Final = 50_000_000
_SLACK_NS: Final = 5_000_000  # beyond what is not known of the clocks
_UNSURE_NS: Final = 1_000_000_000  # where one direction alone tells how far they are apart

_Key = tuple[Transport, Side]


@final
class Place:
    """A capture, and the trails of its sessions."""

    __slots__ = ("summary", "trails")

    def __init__(self, summary: CaptureSummary, trails: list[Trail]) -> None:
        self.summary = summary
        self.trails = [trail for trail in trails if trail.session is not None]


def cross(places: list[Place]) -> list[Sides]:
    """The pairs of places that show the same sessions. Of three in a row those that are next to each other."""
    found: list[Sides] = []
    for at in range(len(places)):
        for other in range(at + 1, len(places)):
            sides = _compare(places, at, other)
            if sides is not None:
                found.append(sides)
    ways = {(sides.client, sides.server) for sides in found}
    return [
        sides
        for sides in found
        if not any((sides.client, at) in ways and (at, sides.server) in ways for at in range(len(places)))
    ]


def _compare(places: list[Place], at: int, other: int) -> Sides | None:
    pairs = _same_sessions(places[at].trails, places[other].trails)
    if not pairs:
        return None
    up, down = _seen(pairs)
    nearer = _is_browser(pairs)
    if nearer is None:
        nearer = is_nearer(up, down)
    if nearer is None:
        nearer = _looks_nearer(pairs)
    if not nearer:
        at, other = other, at
        pairs = [(second, first) for first, second in pairs]
        up, down = _seen(pairs)
    clocks = align(up, down)
    sides = Sides(at, other, clocks)
    client, server = places[at], places[other]
    for near_client, near_server in pairs:
        comparison = _Comparison(near_client, near_server, clocks, client, server)
        if comparison.overlaps():
            sides.crossings.append(comparison.crossing())
    return sides if sides.crossings else None


def _same_sessions(first: list[Trail], second: list[Trail]) -> list[tuple[Trail, Trail]]:
    by_sid: dict[str, Trail] = {}
    for trail in second:
        by_sid.setdefault(trail.sid, trail)
    pairs: list[tuple[Trail, Trail]] = []
    for trail in first:
        other = by_sid.pop(trail.sid, None)
        if other is not None:
            pairs.append((trail, other))
    return pairs


def _seen(pairs: list[tuple[Trail, Trail]]) -> tuple[Seen, Seen]:
    """The packets of clients and of servers that are the same for sure: when they were at the first place, and how much
    later at the second."""
    up: Seen = []
    down: Seen = []
    for first, second in pairs:
        _see_handshake(first.session, second.session, up, down)
        for key, path in first.paths.items():
            other = second.paths.get(key)
            if other is None:
                continue
            seen = up if key[1] is CLIENT else down
            for one, two in _sure(first, second, path, other):
                seen.append((path.times[one], other.times[two] - path.times[one]))
    return up, down


def _see_handshake(first: Session | None, second: Session | None, up: Seen, down: Seen) -> None:
    """The request for the session and its answer, which hardly anything holds back."""
    one, two = (session.attempt if session is not None else None for session in (first, second))
    if one is None or two is None or (one.request.method, one.request.query) != (two.request.method, two.request.query):
        return
    up.append((one.request.place.ts_ns, two.request.place.ts_ns - one.request.place.ts_ns))
    if one.answered is not None and two.answered is not None:
        came_ns = one.answered.place.ts_ns
        down.append((came_ns, two.answered.place.ts_ns - came_ns))


def _sure(first: Trail, second: Trail, path: Path, other: Path) -> list[tuple[int, int]]:
    whole = not any(trail.session is not None and trail.session.midstream for trail in (first, second))
    if whole and path.digests == other.digests:
        return [(at, at) for at in range(len(path.labels))]
    return anchors(path, other)


def _is_browser(pairs: list[tuple[Trail, Trail]]) -> bool | None:
    """Whether the first place is the browser itself, nearer than which there is none; None if neither or both are."""
    for first, second in pairs:
        near, far = first.session, second.session
        if near is not None and far is not None:
            is_near, is_far = (session.client_endpoint.address == BROWSER for session in (near, far))
            return None if is_near == is_far else is_near
    return None


def _looks_nearer(pairs: list[tuple[Trail, Trail]]) -> bool:
    """Whether the first place is nearer to the clients, by who talks to whom: behind a proxy that is the client."""
    for first, second in pairs:
        near, far = first.session, second.session
        if near is not None and far is not None:
            if far.client_endpoint.address == near.server.endpoint.address:
                return True
            if near.client_endpoint.address == far.server.endpoint.address:
                return False
    return True


@final
class _Comparison:
    """Of one session."""

    __slots__ = ("_client", "_clocks", "_made", "_near_client", "_near_server", "_server", "_slack_ns")

    def __init__(self, client: Trail, server: Trail, clocks: Clocks, near_client: Place, near_server: Place) -> None:
        self._client = client
        self._server = server
        self._clocks = clocks
        self._near_client = near_client
        self._near_server = near_server
        assert client.session is not None
        assert server.session is not None
        self._made = Crossing(client.session, server.session, clocks)
        unsure_ns = _UNSURE_NS if clocks.unsure_ns is None else clocks.unsure_ns
        self._slack_ns = unsure_ns + _SLACK_NS

    def overlaps(self) -> bool:
        """Whether both ledgers are of the same time: a sid may come again."""
        made = self._made
        begin, end = made.near_server(made.server.opened).ts_ns, made.near_server(made.server.last).ts_ns
        return begin - _LATEST_NS <= made.client.last.ts_ns and made.client.opened.ts_ns - _LATEST_NS <= end

    def crossing(self) -> Crossing:
        """What both places show."""
        made, summary = self._made, self._near_server.summary
        made.client_until_ns = self._near_client.summary.last_ns or made.client.last.ts_ns
        made.server_until_ns = self._clocks.at_client(summary.last_ns or made.server.last.ts_ns)
        made.is_of_har = any(place.summary.is_har for place in (self._near_client, self._near_server))
        made.resent = [_resends(made.client, side) or _resends(made.server, side) for side in SIDES]
        for key in dict.fromkeys([*self._client.paths, *self._server.paths]):
            near_client = self._client.paths.get(key, Path())
            near_server = self._server.paths.get(key, Path())
            made.ways[key] = self._way(key, near_client, near_server)
        return made

    def _way(self, key: _Key, near_client: Path, near_server: Path) -> Way:
        way = Way()
        client = [near_client.place(at) for at in range(len(near_client.labels))]
        server = [self._made.near_server(near_server.place(at)) for at in range(len(near_server.labels))]
        upwards = key[1] is CLIENT
        sent, arrived = (near_client, near_server) if upwards else (near_server, near_client)
        left, came = (client, server) if upwards else (server, client)
        pairs = match(sent, arrived, [place.ts_ns for place in left], [place.ts_ns for place in came], self._slack_ns)
        begin, first = 0, 0
        for at, other in [*pairs, (len(left), len(came))]:
            self._unmatched(way, key, (sent, left, begin, at), (arrived, came, first, other))
            if at < len(left):
                _note(way, Passage(key[1], key[0], sent.labels[at], left[at], came[other]))
            begin, first = at + 1, other + 1
        return way

    def _unmatched(
        self,
        way: Way,
        key: _Key,
        sent: tuple[Path, list[PacketRef], int, int],
        arrived: tuple[Path, list[PacketRef], int, int],
    ) -> None:
        """Packets between two that are at both places, which are only at one, from one number to another."""
        transport, side = key
        path, left, begin, end = sent
        other, came, first, last = arrived
        if begin == end and first == last:
            return
        upwards = side is CLIENT
        # What is under way for long may still be so when the other side ends the session.
        late_ns = 2 * (way.delays.maximum + (self._clocks.unsure_ns or 0)) + _GOODBYE_NS
        lost = [at for at in range(begin, end) if self._would_show(left[at].ts_ns, late_ns, side, other, upwards)]
        added = [at for at in range(first, last) if self._would_show(came[at].ts_ns, 0, side, path, not upwards)]
        if len(lost) == len(added) and all(
            path.labels[at] == other.labels[two] for at, two in zip(lost, added, strict=True)
        ):
            for at, two in zip(lost, added, strict=True):
                way.changed.add(Passage(side, transport, path.labels[at], left[at], came[two]), left[at].ts_ns)
            return
        for at in lost:
            way.lost.add(Passage(side, transport, path.labels[at], left[at], None), left[at].ts_ns)
        for at in added:
            way.added.add(Passage(side, transport, other.labels[at], None, came[at]), came[at].ts_ns)

    def _would_show(self, ts_ns: int, late_ns: int, side: Side, path: Path, at_server: bool) -> bool:
        """Whether a place would show a packet of a side, if it came there or left it then (by the clock near the
        client), or so much later."""
        made, near = self._made, self._near_server if at_server else self._near_client
        session = made.server if at_server else made.client
        if session.gaps or session.unreadable[side] or session.one_direction or near.summary.drops:
            return False
        first_ns = self._by_client(near.summary.first_ns or 0, at_server=at_server)
        last_ns = made.server_until_ns if at_server else made.client_until_ns
        if session.midstream:
            first_ns = max(first_ns, self._by_client(session.opened.ts_ns, at_server=at_server) + self._slack_ns)
        if path.cut_ns is not None:
            last_ns = min(last_ns, self._by_client(path.cut_ns, at_server=at_server))
        if session.closing is not None:
            ended_ns = self._by_client(session.closing.place.ts_ns, at_server=at_server)
            return first_ns <= ts_ns and ts_ns + late_ns < ended_ns
        return first_ns <= ts_ns and ts_ns + late_ns < last_ns - _LATEST_NS

    def _by_client(self, ts_ns: int, *, at_server: bool) -> int:
        return self._clocks.at_client(ts_ns) if at_server else ts_ns


def _note(way: Way, passage: Passage) -> None:
    """A packet came to the other place as it was."""
    delay_ns = max(0, passage.delay_ns)
    way.delays.add(delay_ns)
    if way.slowest is None or delay_ns > way.slowest.delay_ns:
        way.slowest = passage
    if delay_ns >= HELD_NS and passage.sent is not None:
        way.held.add(passage, passage.sent.ts_ns)


def _resends(session: Session, side: Side) -> bool:
    sides = session.network.sides
    return session.repeats[side] > 0 or (sides is not None and sides[side].repeats > 0)
