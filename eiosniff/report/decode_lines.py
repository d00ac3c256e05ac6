"""`eiosniff decode`: a line an Engine.IO packet, for people or (JSON lines) for programs."""

import json
from hashlib import sha256
from typing import Any

from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import EioType, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.report.figures import iso_time, relative, size
from eiosniff.report.redact import Redactor
from eiosniff.report.sanitise import json_safe

_SHORT_TRANSPORT = {Transport.POLLING: "poll", Transport.WEBSOCKET: "ws", Transport.WEBTRANSPORT: "wt"}
_ARROWS = {Side.CLIENT: "C→S", Side.SERVER: "S→C"}
_HEARTBEAT = (EioType.PING, EioType.PONG, EioType.NOOP)
_HEARTBEAT_09 = (SioType.HEARTBEAT, SioType.NOOP)
_EVENTS = (SioType.EVENT, SioType.BINARY_EVENT)
# Reasons and advice in an ERROR of Socket.IO 0.9 are numbers (lib/parser.js of socket.io 0.9.19).
_REASONS_09 = ("transport not supported", "client not handshaken", "unauthorized")
_ADVICE_09 = ("reconnect",)
_KIND_09 = "SIO 0.9"  # where lines of Engine.IO have its packet type


_ENCODER = json.JSONEncoder(ensure_ascii=False)


class TextLines:
    """Aligned lines of any length; `eiosniff.report.layout.fit` cuts them to the width of a terminal."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def line(self, packet: DecodedPacket) -> str:
        """The packet as one line without its end; times count from the first packet of its capture."""
        place = _place(packet)
        engineio = packet.engineio
        session = f"s{packet.session}" if packet.session is not None else "-"
        kind = _KIND_09 if packet.revision is None else _engineio_type(packet) or "?"
        since = relative(place.ts_ns, packet.capture_began_ns)
        line = (
            f"{place.number:>6} {since:>9} {packet.stream:>3} {_ARROWS[engineio.side]} "
            f"{session:4} {_SHORT_TRANSPORT[engineio.transport]:4} {kind:9} {self._content(packet)}"
        )
        return line.rstrip()

    def _content(self, packet: DecodedPacket) -> str:
        socketio = packet.socketio
        if socketio is not None:
            content = self._socketio(packet, socketio)
        elif packet.engineio.binary:
            content = f"({size(len(packet.engineio.data))})"
        else:
            content = self._redactor.shown(packet.engineio.data)
        return f"{content} !! {self._redactor.shown(packet.trouble)}".lstrip() if packet.trouble else content

    def _socketio(self, packet: DecodedPacket, socketio: SioPacket) -> str:
        words = [_socketio_type(socketio) or str(socketio.type)]
        if socketio.namespace not in ("", "/"):
            words.append(self._redactor.shown(socketio.namespace))
        if socketio.id is not None:
            words.append(f"#{socketio.id}")
        data = _data(packet, socketio, self._redactor)
        if socketio.type in _EVENTS and isinstance(data, list) and data:
            words.append(self._redactor.shown(str(data[0])))
            data = data[1:] or None
        if data is not None:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            words.append(self._redactor.shown(text))
        if socketio.type == SioType.ERROR and (meaning := _error_09(socketio.data)):
            words.append(f"({meaning})")
        if socketio.attachments_expected:
            words.append(f"+{socketio.attachments_expected} binary")
            words.append(f"({', '.join(size(len(attachment)) for attachment in socketio.attachments)})")
        return " ".join(words)


def style_of(packet: DecodedPacket) -> str:
    """The rich style of its line on a terminal: what the words say already, to be seen at a glance."""
    if packet.trouble:
        return "red"
    if packet.engineio.type in _HEARTBEAT or (packet.socketio and packet.socketio.type in _HEARTBEAT_09):
        return "dim"
    return "cyan" if packet.engineio.side is Side.SERVER else ""


def json_line(packet: DecodedPacket, redactor: Redactor, *, name_capture: bool) -> str:
    """The packet as one JSON object, without the end of the line."""
    place, engineio = _place(packet), packet.engineio
    record: dict[str, Any] = {
        "packet": place.number,
        "packets": list(packet.packets),
        "time": iso_time(place.ts_ns),
        "stream": packet.stream,
        "from": engineio.side.label,
        "session": None if packet.session is None else f"s{packet.session}",
        "sid": packet.sid,
        "transport": engineio.transport.value,
        "engineio": {"revision": packet.revision, "type": _engineio_type(packet)},
        "socketio": None if packet.socketio is None else _socketio_record(packet, packet.socketio, redactor),
    }
    if name_capture:  # packet numbers and streams alone do not tell which of several captures is meant
        record["capture"] = packet.capture
    return json_safe(_ENCODER.encode(record))


def _socketio_record(packet: DecodedPacket, socketio: SioPacket, redactor: Redactor) -> dict[str, Any]:
    return {
        "type": _socketio_type(socketio),
        "namespace": redactor.text(socketio.namespace),
        "id": socketio.id,
        "event": None if socketio.event is None else redactor.text(socketio.event),
        "data": _data(packet, socketio, redactor),
        "attachments": [
            {"bytes": len(attachment), "sha256": sha256(attachment).hexdigest()} for attachment in socketio.attachments
        ],
    }


def _place(packet: DecodedPacket) -> PacketRef:
    """The captured packet that completed it."""
    return packet.socketio.place if packet.socketio else packet.engineio.place


def _engineio_type(packet: DecodedPacket) -> str | None:
    try:
        return EioType(packet.engineio.type).label
    except ValueError:
        return None


def _socketio_type(socketio: SioPacket) -> str | None:
    try:
        return SioType(socketio.type).name
    except ValueError:
        return None


def _data(packet: DecodedPacket, socketio: SioPacket, redactor: Redactor) -> Any:
    """The data as a JSON value without secrets; as text where it is not JSON, or not such as can be written again."""
    if not socketio.data:
        return None
    text = socketio.data.decode("utf-8", "backslashreplace")
    if socketio.type == SioType.MESSAGE:
        return redactor.text(text)  # which may look like JSON
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if socketio.type == SioType.CONNECT and packet.engineio.side is Side.CLIENT:
            return redactor.authentication(value)
        return redactor.event(value) if socketio.type in _EVENTS else redactor.json(value)
    except (ValueError, RecursionError):
        return redactor.text(text)


def _error_09(data: bytes) -> str:
    """What the numbers in an ERROR of Socket.IO 0.9 mean, such as `1+0`; empty for what is not such a number."""
    reason, _, advice = data.partition(b"+")
    words = []
    for number, meanings in ((reason, _REASONS_09), (advice, _ADVICE_09)):
        if len(number) == 1 and number.isdigit() and int(number) < len(meanings):
            words.append(meanings[int(number)])
    return ", ".join(words)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise ValueError(number)
    return value
