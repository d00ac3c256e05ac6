"""What the events of a session come to: how many there are in a second, what comes several times over, and data that is
written in a longer form than it needs.

Events are the hot path. Each is measured and counted; its content is looked at only if it may hold something: a copy
has the size of the event before it, JSON in a string needs a backslash, base64 that is worth a word makes the event
long, with one string over most of it.
"""

import re
from typing import Final, final

import msgspec

from eiosniff.decode.sessions import broadcasts, revisions
from eiosniff.model.engineio import POLLING, Transport
from eiosniff.model.messages import (
    COMPARED,
    FEWEST_IN_A_SECOND,
    FEWEST_RECEIVERS,
    SMALL_MESSAGE,
    Base64Figures,
    Broadcasts,
    Burst,
    EncodedJson,
    MessageFigures,
    Pace,
    Repeats,
)
from eiosniff.model.provenance import NO_PACKET, SERVER, PacketRef
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import NS_PER_MS, NS_PER_S

# Events that one step of a program sends follow each other within this time.
_MOMENT_NS: Final = NS_PER_MS
_ANSWERED_NS: Final = NS_PER_S
_HALF: Final = COMPARED // 2
_MAX_EVENTS: Final = 16  # names of which something is recorded, of each kind
# After so many events of a name their form is known.
ENOUGH_LOOKED_AT: Final = 64
_MAX_LOOKED_AT: Final = 16_384  # bytes of an event that is read for JSON in its strings
_MAX_KEYS: Final = 5
_BACKSLASH: Final = 0x5C  # as a number: to ask for a piece of bytes with `in` costs Python an exception
_OBJECT_START: Final = b'"{'
_ARRAY_START: Final = b'"['
_LEAST_BASE64: Final = 512  # bytes of an event
_BASE64_START: Final = b";base64,"  # of a data URL (RFC 2397)
_MAX_MEDIA_TYPE: Final = 100
_SAMPLE: Final = 1024
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_KINDS_OF_CHARACTERS: Final = (re.compile(rb"[A-Z]"), re.compile(rb"[a-z]"), re.compile(rb"[0-9]"))


@final
class Way:
    """What one side sent last: the `start` of an event, its size and `namespace`, when the first and the last like it
    came, how many `alike` there are, and the burst that they make, if they do; how many events, of any kind, came
    within a `moment`; and its small events since `second_ns`."""

    __slots__ = (
        "alike", "burst", "bytes", "count", "first", "last_ns", "moment", "namespace", "opening", "packet", "packets",
        "second_ns", "size", "start",
    )  # fmt: skip

    def __init__(self) -> None:
        self.start = b""
        self.size = 0
        self.first = NO_PACKET
        self.last_ns = 0
        self.alike = 1
        self.burst: Burst | None = None
        self.moment = 0
        self.namespace = ""
        self.second_ns = 0
        self.opening = NO_PACKET
        self.count = 0
        self.bytes = 0
        self.packets = 0
        self.packet = 0


@final
class Figures:
    """The events of one session, into its ledger."""

    __slots__ = ("_broadcasts", "_client", "_messages", "_server", "_session", "_vain")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._broadcasts: Broadcasts = session.server.broadcasts
        self._broadcasts.sessions += 1
        self._messages: MessageFigures = session.messages
        self._client: Way | None = None
        self._server: Way | None = None
        self._vain = 0  # events that might have held JSON in a string, and did not

    def event(self, packet: SioPacket, transport: Transport) -> None:
        """Take an event."""
        data, place, server = packet.data, packet.place, packet.side is SERVER
        size = len(data)
        if packet.attachments_expected:
            if packet.attachments:
                self._attachments(packet, transport)
            return
        start = data if size <= COMPARED else data[:_HALF] + data[size - _HALF :]
        messages = self._messages
        if _BACKSLASH in data or messages.encoded is not None:
            self._look_for_json(packet, server)
        if size >= _LEAST_BASE64:
            self._look_for_base64(packet, server)
        if server and self._broadcasts.sessions >= FEWEST_RECEIVERS:
            broadcasts.take(self._broadcasts, self._session, packet, start)
        if transport is POLLING:  # polls collect what is said meanwhile: that says nothing of when
            return
        way = self._server if server else self._client
        if way is None:
            way = Way()
            if server:
                self._server = way
            else:
                self._client = way
        if size < SMALL_MESSAGE:
            if not 0 <= place.ts_ns - way.second_ns < NS_PER_S:
                self._end_second(way, place, server)
            way.count += 1
            way.bytes += size
            if place.number != way.packet:
                way.packet = place.number
                way.packets += 1
        passed = place.ts_ns - way.last_ns
        at_once = 0 <= passed <= _MOMENT_NS
        way.moment = way.moment + 1 if at_once else 1
        if at_once and size == way.size and start == way.start and packet.namespace == way.namespace:
            self._again(way, packet, server)
        else:
            way.start = start
            way.size = size
            way.namespace = packet.namespace
            way.first = place
            way.alike = 1
            way.burst = None
            if messages.repeats is not None:
                repeats = messages.repeats.get((server, (packet.event or "")[:MAX_NAME]))
                if repeats is not None:
                    repeats.runs += 1
        way.last_ns = place.ts_ns

    def _end_second(self, way: Way, place: PacketRef, server: bool) -> None:
        """A second of small events is over; `place` is the first of the next one."""
        if way.count >= FEWEST_IN_A_SECOND:
            messages = self._messages
            if messages.paces is None:
                messages.paces = [None, None]
            at = 1 if server else 0
            pace = messages.paces[at]
            if pace is None:
                pace = messages.paces[at] = Pace(way.opening)
            pace.seconds += 1
            pace.messages += way.count
            pace.bytes += way.bytes
            pace.packets += way.packets
            pace.rates.add(way.count)
            pace.last = way.opening
            if way.count > pace.most:
                pace.most, pace.peak = way.count, way.opening
        way.second_ns = place.ts_ns
        way.opening = place
        way.count = way.bytes = way.packets = 0

    def _again(self, way: Way, packet: SioPacket, server: bool) -> None:
        """The same event once more, within a moment."""
        messages, place = self._messages, packet.place
        way.alike += 1
        other = self._client if server else self._server
        # Who is asked so many things in one moment says "done" as many times.
        if other is not None and other.moment >= way.alike and 0 <= place.ts_ns - other.last_ns <= _ANSWERED_NS:
            return
        if messages.repeats is None:
            messages.repeats = {}
        key = server, (packet.event or "")[:MAX_NAME]
        repeats = messages.repeats.get(key)
        if repeats is None:
            if len(messages.repeats) >= _MAX_EVENTS:
                return
            repeats = messages.repeats[key] = Repeats()
        burst = way.burst
        if burst is None:
            burst = way.burst = Burst(way.first, place, 1)
            repeats.bursts += 1
            repeats.seen.add(burst, place.ts_ns)
        repeats.copies += way.alike - burst.count
        burst.count = way.alike
        burst.last = place
        repeats.most = max(repeats.most, burst.count)

    # ------------------------------------------------------------------ how data is written

    def _look_for_json(self, packet: SioPacket, server: bool) -> None:
        known, data = self._messages.encoded, packet.data
        small = len(data) <= _MAX_LOOKED_AT
        may_hold = small and _BACKSLASH in data and (data.find(_OBJECT_START) >= 0 or data.find(_ARRAY_START) >= 0)
        if known is None and (not may_hold or self._vain >= ENOUGH_LOOKED_AT):
            return
        key = server, (packet.event or "")[:MAX_NAME]
        entry = known.get(key) if known is not None else None
        if entry is not None and entry.looked_at >= ENOUGH_LOOKED_AT:
            return
        found = _json_in_string(data) if may_hold else None
        if found is not None and entry is None:
            if known is None:
                known = self._messages.encoded = {}
            if len(known) >= _MAX_EVENTS:
                return
            argument, keys, _ = found
            entry = known[key] = EncodedJson(argument, keys)
        if entry is None:
            self._vain += 1
            return
        entry.looked_at += 1
        if found is not None:
            entry.messages += 1
            entry.escapes += found[2]
            entry.places.add(packet.place, packet.place.ts_ns)

    def _look_for_base64(self, packet: SioPacket, server: bool) -> None:
        length = _base64_length(packet.data)
        if not length:
            return
        if self._messages.base64_strings is None:
            self._messages.base64_strings = {}
        _add_base64(self._messages.base64_strings, packet, server, length)

    def _attachments(self, packet: SioPacket, transport: Transport) -> None:
        session = self._session
        attempt = session.attempt
        asked = attempt is not None and ("b64", "1") in attempt.request.query
        if transport is POLLING:
            if not asked and revisions.revision_of(session, packet.side) < 4:
                return
        elif not asked or session.upgraded is not None:  # it was asked for of the transport that is gone
            return
        if self._messages.base64_attachments is None:
            self._messages.base64_attachments = {}
        length = 0
        for attachment in packet.attachments:
            length += (len(attachment) + 2) // 3 * 4
        _add_base64(self._messages.base64_attachments, packet, packet.side is SERVER, length)


def _add_base64(known: dict[tuple[bool, str], Base64Figures], packet: SioPacket, server: bool, length: int) -> None:
    key = server, (packet.event or "")[:MAX_NAME]
    figures = known.get(key)
    if figures is None:
        if len(known) >= _MAX_EVENTS:
            return
        figures = known[key] = Base64Figures()
    figures.bytes += length
    figures.places.add(packet.place, packet.place.ts_ns)


def _json_in_string(data: bytes) -> tuple[int, tuple[str, ...], int] | None:
    """The first argument of an event that is JSON in a string: its place, the names in it, and the bytes that this
    form takes more. A string is meant if it is an object with a name in it, or an array of objects or texts."""
    value = _read(data)
    if not isinstance(value, list):
        return None
    for argument in range(1, len(value)):
        text = value[argument]
        if not isinstance(text, str) or text[:1] not in ("{", "["):
            continue
        inner = _read(text.encode("utf-8", "replace"))
        more = len(msgspec.json.encode(text)) - len(text.encode("utf-8", "replace"))
        if isinstance(inner, dict) and inner:
            return argument, tuple([str(key)[:MAX_NAME] for key in inner][:_MAX_KEYS]), more
        if isinstance(inner, list) and inner and isinstance(inner[0], (dict, list, str)):
            return argument, (), more
    return None


def _read(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


def _base64_length(data: bytes) -> int:
    """How long the base64 is that makes up most of an event; 0 if there is none."""
    middle = len(data) // 2
    start, end = data.rfind(b'"', 0, middle) + 1, data.find(b'"', middle)
    if start <= 0 or (end - start) * 2 < len(data):
        return 0
    prefix = data.find(_BASE64_START, start, start + _MAX_MEDIA_TYPE)
    if prefix >= 0:
        start = prefix + len(_BASE64_START)
    sample = data[start : min(end, start + _SAMPLE)]
    if _BASE64.fullmatch(sample) is None:
        return 0
    for kind in _KINDS_OF_CHARACTERS:
        if kind.search(sample) is None:
            return 0
    return end - start
