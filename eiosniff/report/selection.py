"""Which packets `eiosniff decode` shows: filters that all have to let a packet through, and what to say of a vain one.

A filter is a value of the user; what is compared with it comes from the wire and is only ever data, never a pattern.
Packets come one by one and are not kept: of what was seen only so much is remembered as a remark may name.
"""

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Final, Generic, TypeVar

from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import PING, PONG, EioType
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.report.figures import counted
from eiosniff.report.redact import Redactor

# The beginning of a session id stands for it from this length on: what is shorter can only be all of it.
MIN_SID_BEGINNING: Final = 4

_MAX_NAME = 200  # a peer may use a megabyte as a name; no filter is as long, and longer ones are not remembered
_MAX_VERDICTS = 10_000
_MAX_SEEN = 1000
_MAX_ASKED = 10_000
_MAX_NAMED = 6
_SHOWN_LENGTH = 40
_WILDCARDS = frozenset("*?[")
_SESSION_ID = re.compile(r"[sS](\d+)")
_EVENTS = (int(SioType.EVENT), int(SioType.BINARY_EVENT))
_ACKS = (int(SioType.ACK), int(SioType.BINARY_ACK))
_HEARTBEAT = (PING, PONG)
_PROBE = b"probe"  # what the ping and pong of an upgrade carry
_EIO_TYPES: Final = {int(kind): kind.label for kind in EioType}
_SIO_TYPES: Final = {int(kind): kind.name for kind in SioType}

TYPE_NAMES: Final = (*_EIO_TYPES.values(), *_SIO_TYPES.values())
"""The packet types that a filter may name: Engine.IO's in lower case, Socket.IO's in upper case."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user wants to see. An empty tuple lets everything through, several values let through what fits one.

    `sessions` are session ids, beginnings of them, or the ids of the report (`s1`). `events` and `namespaces` may have
    the wildcards of a shell; an event brings the ACK that answers it. `types` are some of `TYPE_NAMES`. Without
    `heartbeat`, pings and pongs are left out, but for those of an upgrade's probe.
    """

    sessions: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    side: Side | None = None
    heartbeat: bool = True


class Selection:
    """Tells packet by packet whether it is to be shown, and at the end which filters were in vain."""

    def __init__(self, filters: Filters) -> None:
        self._criteria = _criteria(filters)
        self._lets_through = [criterion.lets_through for criterion in self._criteria]
        self._passed = [0] * len(self._criteria)
        self.seen = 0
        self.taken = 0

    def takes(self, packet: DecodedPacket) -> bool:
        """Whether the packet is to be shown. To be asked of each packet once, in order: ACKs follow their events."""
        self.seen += 1
        for at, lets_through in enumerate(self._lets_through):
            if not lets_through(packet):
                return False
            self._passed[at] += 1
        self.taken += 1
        return True

    def remarks(self, redactor: Redactor) -> list[str]:
        """What to say when all packets have come: why none was taken, which values fitted nothing or too much."""
        if not self.taken:
            return [self._why_none(redactor)] if self.seen else []
        return [remark for criterion in self._criteria for remark in criterion.remarks(redactor)]

    def _why_none(self, redactor: Redactor) -> str:
        words = [f"no packet matches: of {counted(self.seen, 'packet')},"]
        for criterion, passed in zip(self._criteria, self._passed, strict=True):
            if passed:
                words.append(f"{passed:,} {criterion.wording},")
                continue
            words.append(f"none {criterion.wording}{criterion.nearest(redactor)}")
            break
        return " ".join(words)


class _Criterion(ABC):
    """One filter. `wording` says what fits it, after a number of packets."""

    def __init__(self, wording: str) -> None:
        self.wording = wording

    @abstractmethod
    def lets_through(self, packet: DecodedPacket) -> bool:
        """Whether the packet fits."""

    def nearest(self, redactor: Redactor) -> str:
        """What there is instead, as the end of a sentence that says that nothing fitted."""
        return ""

    def remarks(self, redactor: Redactor) -> list[str]:
        """What is odd about a filter that something fitted."""
        return []


def _criteria(filters: Filters) -> list[_Criterion]:
    """From the widest to the narrowest: what a vain one could have been is told from what those before let through."""
    criteria: list[_Criterion] = []
    if filters.sessions:
        criteria.append(_Sessions(filters.sessions))
    if filters.namespaces:
        criteria.append(_Namespaces(filters.namespaces))
    if filters.events:
        criteria.append(_Events(filters.events))
    if filters.types:
        criteria.append(_Types(filters.types))
    if filters.side is not None:
        criteria.append(_From(filters.side))
    if not filters.heartbeat:
        criteria.append(_NoHeartbeat())
    return criteria


class _Values(_Criterion, Generic[Key]):
    """The values of one option, and which of the things that come fit one of them: each thing is compared once.

    `fits` compares a thing with a value, `names` are what the user could have asked for to get it.
    """

    def __init__(
        self,
        option: str,
        wanted: Sequence[str],
        fits: Sequence[Callable[[Key], bool]],
        names: Callable[[Key], Sequence[str]],
    ) -> None:
        super().__init__(f"with {' or '.join(f'{option} {value}' for value in wanted)}")
        self.option = option
        self.wanted = wanted
        self._fits = fits
        self._names = names
        self._verdicts: dict[Key, bool] = {}
        self._in_vain = set(range(len(wanted)))
        self._seen: dict[Key, None] = {}

    def fit(self, key: Key) -> bool:
        """Whether the thing fits a value."""
        known = self._verdicts.get(key)
        return self._judge(key) if known is None else known

    def _judge(self, key: Key) -> bool:
        fitting = [at for at, fits in enumerate(self._fits) if fits(key)]
        self._in_vain.difference_update(fitting)
        if all(len(name) <= _MAX_NAME for name in self._names(key)):
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            self._verdicts[key] = bool(fitting)
            if len(self._seen) < _MAX_SEEN:
                self._seen[key] = None
        return bool(fitting)

    def nearest(self, redactor: Redactor) -> str:
        """What there is, the likest first, as the end of a sentence."""
        if not self._seen:
            return ""
        like = self._like(self.wanted)
        rest = [key for key in self._seen if key not in like]
        named = [self._shown(key, redactor) for key in [*like, *rest][:_MAX_NAMED]]
        more = len(self._seen) - len(named)
        others = f" and {'at least ' if len(self._seen) == _MAX_SEEN else ''}{more} more" if more else ""
        question = f"; did you mean {self._shown(next(iter(like)), redactor)}?" if like else ""
        return f"{question or ';'} there {'are' if len(named) > 1 else 'is'} {', '.join(named)}{others}"

    def remarks(self, redactor: Redactor) -> list[str]:
        """The values that nothing fitted."""
        remarks = []
        for at in sorted(self._in_vain):
            like = self._like([self.wanted[at]])
            question = f"; did you mean {self._shown(next(iter(like)), redactor)}?" if like else ""
            remarks.append(f"nothing fits {self.option} {self.wanted[at]}{question}")
        return remarks

    def _like(self, wanted: Iterable[str]) -> dict[Key, None]:
        """What looks like a value that was asked for."""
        known = {
            name.lower(): key for key in reversed(self._seen) for name in self._names(key) if name not in self.wanted
        }
        like: dict[Key, None] = {}
        for value in wanted:
            for name in difflib.get_close_matches(value.lower()[:_MAX_NAME], known, n=3, cutoff=0.6):
                like[known[name]] = None
        return like

    def _shown(self, key: Key, redactor: Redactor) -> str:
        first, *others = (redactor.shown(name, _SHOWN_LENGTH) for name in self._names(key))
        return f"{first} ({', '.join(others)})" if others else first


def _pattern(value: str) -> Callable[[str], bool]:
    """What compares names with a value that may have wildcards; a name that is the value itself fits in any case.

    The expression that `fnmatch` makes never goes back over a name: it takes linear time for each wildcard.
    """
    if _WILDCARDS.isdisjoint(value):
        return value.__eq__
    match = re.compile(translate(value)).match
    return lambda name: name == value or match(name) is not None


def _itself(name: str) -> tuple[str]:
    return (name,)


_Session = tuple[int | None, str | None]


class _Sessions(_Values[_Session]):
    def __init__(self, wanted: Sequence[str]) -> None:
        super().__init__("--session", wanted, [_session(value) for value in wanted], self._names_of)
        self._socket_ids: dict[str, _Session] = {}  # values that are a `socket.id`, which is what applications log

    def lets_through(self, packet: DecodedPacket) -> bool:
        session = packet.session, packet.sid
        if self.fit(session):
            return True
        socketio = packet.socketio
        if socketio is not None and socketio.type == SioType.CONNECT and socketio.side is Side.SERVER:
            for value in self.wanted:
                if len(value) >= MIN_SID_BEGINNING and _starts_socket_id(socketio.data, value):
                    self._socket_ids.setdefault(value, session)
        return False

    def nearest(self, redactor: Redactor) -> str:
        if self._socket_ids:
            return "".join(
                f"; {value} is a socket.id: its session is {self._shown(session, redactor)}"
                for value, session in self._socket_ids.items()
            )
        short = [value for value in self.wanted if len(value) < MIN_SID_BEGINNING and not _SESSION_ID.fullmatch(value)]
        hint = f" (a beginning has at least {MIN_SID_BEGINNING} characters)" if short else ""
        return hint + super().nearest(redactor)

    def remarks(self, redactor: Redactor) -> list[str]:
        remarks = super().remarks(redactor)
        for value in self.wanted:
            begun = [key for key in self._seen if key[1] is not None and key[1] != value and _begins(value, key[1])]
            if len(begun) > 1:
                named = ", ".join(self._shown(key, redactor) for key in begun[:_MAX_NAMED])
                more = f" and {len(begun) - _MAX_NAMED} more" if len(begun) > _MAX_NAMED else ""
                remarks.append(f"--session {value} is the beginning of {len(begun)} sessions: {named}{more}")
        return remarks

    @staticmethod
    def _names_of(session: _Session) -> tuple[str, ...]:
        index, sid = session
        return tuple(name for name in (None if index is None else f"s{index}", sid) if name is not None)


def _session(value: str) -> Callable[[_Session], bool]:
    numbered = _SESSION_ID.fullmatch(value)
    index = int(numbered[1]) if numbered and len(value) < 20 else None
    return lambda session: (
        session[1] == value
        or (index == session[0] if index is not None else session[1] is not None and _begins(value, session[1]))
    )


def _starts_socket_id(data: bytes, value: str) -> bool:
    """Whether the socket id in a server's CONNECT begins with a value: `{"sid":"..."}`, as all servers write it."""
    return b'"sid":"%b' % value.encode("utf-8", "surrogateescape") in data[:_MAX_NAME]


def _begins(value: str, sid: str) -> bool:
    return len(value) >= MIN_SID_BEGINNING and not _SESSION_ID.fullmatch(value) and sid.startswith(value)


class _Namespaces(_Values[str]):
    def __init__(self, wanted: Sequence[str]) -> None:
        names = [value if value.startswith("/") else f"/{value}" for value in wanted]
        super().__init__("--namespace", names, [_pattern(name) for name in names], _itself)

    def lets_through(self, packet: DecodedPacket) -> bool:
        return packet.socketio is not None and self.fit(packet.socketio.namespace)


_Asked = tuple[int | None, Side, str, int]


class _Events(_Values[str]):
    """Events by name, with the acknowledgements that answer them."""

    def __init__(self, wanted: Sequence[str]) -> None:
        super().__init__("--event", wanted, [_pattern(value) for value in wanted], _itself)
        self._asked: dict[_Asked, None] = {}  # fitting events whose ACK is still to come

    def lets_through(self, packet: DecodedPacket) -> bool:
        socketio = packet.socketio
        if socketio is None:
            return False
        if socketio.type in _EVENTS:
            fits = socketio.event is not None and self.fit(socketio.event)
            if socketio.id is not None:
                self._note(_asked(packet, socketio, socketio.side, socketio.id), fits=fits)
            return fits
        if socketio.type in _ACKS and socketio.id is not None and self._asked:
            key = _asked(packet, socketio, socketio.side.other, socketio.id)
            if key in self._asked:
                del self._asked[key]
                return True
        return False

    def _note(self, asked: _Asked, *, fits: bool) -> None:
        if not fits:
            self._asked.pop(asked, None)  # an id that is used again: its answer is that of another event
            return
        if len(self._asked) >= _MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        self._asked[asked] = None


def _asked(packet: DecodedPacket, socketio: SioPacket, side: Side, ack: int) -> _Asked:
    return packet.session, side, socketio.namespace[:_MAX_NAME], ack


_Type = tuple[int, int]


class _Types(_Values[_Type]):
    def __init__(self, wanted: Sequence[str]) -> None:
        super().__init__("--type", wanted, [_type(value) for value in wanted], self._names_of)

    def lets_through(self, packet: DecodedPacket) -> bool:
        return self.fit((packet.engineio.type, packet.socketio.type if packet.socketio else -1))

    @staticmethod
    def _names_of(kind: _Type) -> tuple[str, ...]:
        """The narrower name first: a Socket.IO packet is always in a message."""
        names = (_SIO_TYPES.get(kind[1]), _EIO_TYPES.get(kind[0]))
        return tuple(name for name in names if name is not None)[:1] or ("packets of no known type",)


def _type(value: str) -> Callable[[_Type], bool]:
    return lambda kind: value in (_EIO_TYPES.get(kind[0]), _SIO_TYPES.get(kind[1]))


class _From(_Criterion):
    def __init__(self, side: Side) -> None:
        super().__init__(f"from the {side.label}")
        self._side = side

    def lets_through(self, packet: DecodedPacket) -> bool:
        return packet.engineio.side is self._side


class _NoHeartbeat(_Criterion):
    def __init__(self) -> None:
        super().__init__("that is no heartbeat")

    def lets_through(self, packet: DecodedPacket) -> bool:
        engineio = packet.engineio
        if packet.socketio is not None and packet.socketio.type == SioType.HEARTBEAT:
            return False  # of Socket.IO 0.9
        return engineio.type not in _HEARTBEAT or engineio.data == _PROBE
