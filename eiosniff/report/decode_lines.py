"""`eiosniff decode`: a line an Engine.IO packet, for people or (JSON lines) for programs."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from eiosniff.model.decoded import NOT_SOCKETIO, DecodedPacket
from eiosniff.model.engineio import EioType, Transport
from eiosniff.model.outside import quic_connection, shown_stream
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.report.figures import iso_time, relative, size
from eiosniff.report.redact import Redactor
from eiosniff.report.sanitise import json_safe, printable

_SHORT_TRANSPORT = {Transport.POLLING: "poll", Transport.WEBSOCKET: "ws", Transport.WEBTRANSPORT: "wt"}
_ARROWS = {Side.CLIENT: "C→S", Side.SERVER: "S→C"}
_HEARTBEAT = (EioType.PING, EioType.PONG, EioType.NOOP)
_HEARTBEAT_09 = (SioType.HEARTBEAT, SioType.NOOP)
_EVENTS = (SioType.EVENT, SioType.BINARY_EVENT)
# Reasons and advice in an ERROR of Socket.IO 0.9 are numbers (lib/parser.js of socket.io 0.9.19).
_REASONS_09 = ("transport not supported", "client not handshaken", "unauthorized")
_ADVICE_09 = ("reconnect",)
_KIND_09 = "SIO 0.9"  # before the packet type


_ENCODER = json.JSONEncoder(ensure_ascii=False)
# jq 1.6 reads up to 128 objects within one another; two of them are those around the data.
_MAX_NESTING = 120
_ALL_BUT_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
# JSON may escape them, but jq before 1.7 refuses the line; UTF-8 cannot say them, and JavaScript writes U+FFFD then.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# As socket.io-parser and python-socketio write it. Within a string the quotes would be escaped.
_PLACEHOLDER = re.compile(r'\{"_placeholder":true,"num":(\d{1,4})\}')


class TextLines:
    """Aligned lines of any length; `eiosniff.report.layout.fit` cuts them to the width of a terminal."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def line(self, packet: DecodedPacket, files: Sequence[str] = ()) -> str:
        """The packet as one line without its end; times count from the first packet of its capture.

        `files` are those that its attachments were written to, if they were.
        """
        place = packet.completed
        engineio = packet.engineio
        session = f"s{packet.session}" if packet.session is not None else "-"
        since = relative(place.ts_ns, packet.capture_began_ns)
        quic = "q" if quic_connection(packet.stream) is not None else ""
        return (
            f"{packet.placed(place.number).label:>6} {since:>9} {f'{quic}{shown_stream(packet.stream)}':>3} "
            f"{_ARROWS[engineio.side]} "
            f"{session:4} {_SHORT_TRANSPORT[engineio.transport]:4} {' '.join(self._words(packet, files))}"
        )

    def _words(self, packet: DecodedPacket, files: Sequence[str]) -> list[str]:
        """The type first: that of Socket.IO, in upper case, if it is one; every such packet is in a `message`."""
        if packet.socketio is not None:
            words = self._socketio(packet, packet.socketio, files)
        else:
            words = [_engineio_type(packet) or "?"]
            if packet.engineio.binary:
                words.append(_binary(packet.engineio.data, files, 0))
            elif packet.engineio.data:
                words.append(self._redactor.shown(packet.engineio.data))
        if packet.trouble == NOT_SOCKETIO:
            words.insert(1, f"({NOT_SOCKETIO})")
        elif packet.trouble:  # before the data, which may be cut
            words.insert(1, f"!! {self._redactor.shown(packet.trouble)}{':' if words[1:] else ''}")
        return words if packet.revision is not None else [_KIND_09, *words]

    def _socketio(self, packet: DecodedPacket, socketio: SioPacket, files: Sequence[str]) -> list[str]:
        words = [_socketio_type(socketio) or str(socketio.type)]
        if socketio.namespace not in ("", "/"):
            words.append(self._redactor.shown(socketio.namespace))
        if socketio.id is not None:
            words.append(f"#{socketio.id}")
        data = _data(packet, socketio, self._redactor)
        if socketio.type in _EVENTS and isinstance(data, list) and data:
            words.append(printable(str(data[0])))  # without secrets already, as all that `_data` returns
            data = data[1:] or None
        attachments = [_binary(attachment, files, at) for at, attachment in enumerate(socketio.attachments)]
        if data is not None:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            text = printable(text)
            if not isinstance(data, str):
                text, attachments = _put_in_place(text, attachments)
            words.append(text)
        if packet.recovered is not None:
            words.append("(recovered)" if packet.recovered else "(not recovered)")
        if socketio.type == SioType.ERROR and (meaning := _error_09(socketio.data)):
            words.append(f"({meaning})")
        words.extend(attachments)
        if missing := socketio.attachments_expected - len(socketio.attachments):
            words.append(f"+{missing} binary, too large to be kept, or not captured")
        return words


def _binary(data: bytes, files: Sequence[str], at: int) -> str:
    """Binary data as its size, with the file that it was written to."""
    return f"<{size(len(data))}: {files[at]}>" if at < len(files) else f"<{size(len(data))}>"


def _put_in_place(text: str, attachments: Sequence[str]) -> tuple[str, list[str]]:
    """JSON with attachments in place of their placeholders, and the attachments that have none."""
    left = dict(enumerate(attachments))

    def attachment(placeholder: re.Match[str]) -> str:
        return left.pop(int(placeholder[1]), placeholder[0])

    return _PLACEHOLDER.sub(attachment, text), list(left.values())


def style_of(packet: DecodedPacket) -> str:
    """The rich style of its line on a terminal: what the words say already, to be seen at a glance."""
    if packet.trouble:
        return "red"
    if packet.engineio.type in _HEARTBEAT or (packet.socketio and packet.socketio.type in _HEARTBEAT_09):
        return "dim"
    return "cyan" if packet.engineio.side is Side.SERVER else ""


def json_line(packet: DecodedPacket, redactor: Redactor, *, name_capture: bool, files: Sequence[str] = ()) -> str:
    """The packet as one JSON object, without the end of the line.

    `files` are those that its attachments were written to, if they were.
    """
    completed, engineio = packet.completed, packet.engineio
    place = packet.placed(completed.number)
    places = [packet.placed(number) for number in packet.packets]
    record: dict[str, Any] = {
        "packet": place.number,
        "packets": list(dict.fromkeys(each.number for each in places if each.file == place.file)),
        "time": iso_time(completed.ts_ns),
        "stream": shown_stream(packet.stream),
        "from": engineio.side.label,
        "session": None if packet.session is None else f"s{packet.session}",
        "sid": packet.sid,
        "transport": engineio.transport.value,
        "engineio": {"revision": packet.revision, "type": _engineio_type(packet)},
        "socketio": None if packet.socketio is None else _socketio_record(packet, packet.socketio, redactor),
    }
    if quic_connection(packet.stream) is not None:
        record["quic"] = True
    if files:
        holders = [record["engineio"]] if packet.socketio is None else record["socketio"]["attachments"]
        for holder, file in zip(holders, files, strict=True):
            holder["file"] = file
    if name_capture:  # packet numbers and streams alone do not tell which of several captures is meant
        record["capture"] = place.file
    if place.message:
        record["message"] = place.message
    before = [each for each in places if each.file != place.file]  # it begins in a file before
    if before:
        record["packets_before"] = [{"packet": each.number, "capture": each.file} for each in before]
    line = _ENCODER.encode(record)
    if not line.isascii():
        line = _LONE_SURROGATE.sub("\ufffd", line)
    return json_safe(line)


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
    if _is_nested_deep(text):
        return redactor.text(text)
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if socketio.type == SioType.CONNECT and packet.engineio.side is Side.CLIENT:
            return redactor.authentication(value)
        return redactor.event(value) if socketio.type in _EVENTS else redactor.json(value)
    except (ValueError, RecursionError):
        return redactor.text(text)


def _is_nested_deep(text: str) -> bool:
    """Whether JSON has more levels than programs read. What is no JSON may be told either way."""
    if text.count("[") + text.count("{") <= _MAX_NESTING:
        return False
    brackets = _ALL_BUT_BRACKETS.sub("", text)
    for _ in range(_MAX_NESTING):
        if not brackets:
            return False
        brackets = brackets.replace("[]", "").replace("{}", "")  # the innermost level
    return bool(brackets)


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
