"""Socket.IO packets of parsers other than the default one: the whole packet as one object, in msgpack or in JSON.

    socket.io-msgpack-parser 1 and 2 (socket.io 2)    CONNECT, DISCONNECT and ERROR as JSON text, all else as msgpack;
                                                      binary data makes an EVENT a BINARY_EVENT, and stays inside
    socket.io-msgpack-parser 3 (socket.io 3 and 4),   all as msgpack; an EVENT stays an EVENT
    python-socketio with serializer="msgpack"
    socket.io-json-parser                             all as JSON text

The object has `type`, `nsp` and mostly `data`, `id` for what wants or is an acknowledgement, and whatever else the
library left in it (`options`, `query`). A packet comes out as the default parser would have sent it: the data as JSON
with placeholders, and the binary data as attachments. `type` is as sent.
"""

import re
from typing import Final, final

import msgspec

from eiosniff.decode.socketio.attachments import MAX_ATTACHMENTS, Joined
from eiosniff.decode.socketio.json_shapes import PacketShape
from eiosniff.decode.socketio.msgpack import MsgpackError, MsgpackReader, TooManyError
from eiosniff.decode.socketio.packets import (
    EXPECTED_JSON,
    MAX_QUOTED,
    NEEDS_JSON,
    SioSyntax,
    check_data,
)
from eiosniff.model.engineio import EioPacket
from eiosniff.model.socketio import SioPacket
from eiosniff.model.trouble import Anomaly, AnomalyKind

_LAST_TYPE: Final = 6
_read_object: Final = msgspec.json.Decoder(PacketShape).decode
# How a map begins whose first key is one of a packet's (`type`, but in which order is up to the library).
_PACKET_START: Final = re.compile(rb"(?:[\x80-\x8f]|\xde..|\xdf....)(?:\xa4type|\xa3nsp)", re.DOTALL)
_NONE: Final = b"null"  # python-socketio sends it for what has no data


@final
class _Fields:
    """What a map holds of a packet."""

    __slots__ = ("data", "id", "kind", "namespace", "too_many")

    def __init__(self) -> None:
        self.kind: int | None = None
        self.namespace: str | None = None
        self.id: int | None = None
        self.data = b""
        self.too_many = ""


def decode_msgpack(packet: EioPacket) -> Joined | None:
    """The Socket.IO packet in a binary MESSAGE, and what is wrong with it; None for what is rather something else.

    A map with a `type` and an `nsp` is a packet, right or wrong; anything else may be an attachment, or no Socket.IO.
    """
    reader = MsgpackReader(packet.data, MAX_ATTACHMENTS)
    fields = _Fields()
    try:
        _read_map(reader, fields)
    except MsgpackError as error:
        if not _PACKET_START.match(packet.data):
            return None
        rest = packet.data[reader.at : reader.at + MAX_QUOTED]
        return _wrong(packet, str(error), f"{rest.hex(' ') or 'the end'} at byte {reader.at}")
    if fields.kind is None or fields.namespace is None:
        return None
    attachments = tuple(reader.attachments)
    joined = _packet(packet, fields.kind, fields.namespace, fields.id, fields.data, attachments, bool(fields.too_many))
    if fields.too_many:
        found = f"more in {len(packet.data)} bytes"
        joined.anomalies += (Anomaly(AnomalyKind.SIO_TOO_LARGE, packet.side, packet.place, fields.too_many, found),)
    return joined


def _read_map(reader: MsgpackReader, fields: _Fields) -> None:
    """Read a map of which only the keys of a packet matter."""
    for _ in range(reader.map_size()):
        name = reader.text()
        if name == "type":
            fields.kind = reader.integer()
        elif name == "nsp":
            fields.namespace = reader.text()
        elif name == "id":
            fields.id = reader.integer()
        elif name == "data":
            start = reader.at
            try:
                fields.data = reader.json()
            except TooManyError as error:
                fields.too_many = str(error)
                reader.attachments.clear()
                reader.at = start
                reader.skip()
        else:
            reader.skip()
    if not reader.ended:
        raise MsgpackError("nothing after the map")


def decode_json(packet: EioPacket) -> Joined | None:
    """The Socket.IO packet in the text of a MESSAGE that is a JSON object, and what is wrong with it; None for what is
    rather something else."""
    try:
        fields = _read_object(packet.data)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return _packet(packet, fields.type, fields.nsp, fields.id, bytes(fields.data), (), False)


def _packet(
    packet: EioPacket,
    kind: int,
    name: str,
    ack_id: int | None,
    data: bytes,
    attachments: tuple[bytes, ...],
    too_many: bool,
) -> Joined:
    """A packet from what the object says, if that is right."""
    if not 0 <= kind <= _LAST_TYPE:
        return _wrong(packet, f"a packet type, 0 to {_LAST_TYPE}", str(kind))
    if ack_id is not None and ack_id < 0:
        return _wrong(packet, "an ack id", str(ack_id))
    event: str | None = None
    data = b"" if data == _NONE else data
    if not data and kind in NEEDS_JSON and not too_many:
        return _wrong(packet, EXPECTED_JSON[kind], "no data")
    if data:
        checked = check_data(kind, data, data, 0)
        if isinstance(checked, SioSyntax):
            return _wrong(packet, checked.expected, checked.found)
        event = checked
    namespace, _, query = name.partition("?")
    decoded = SioPacket(
        kind, namespace or "/", query, ack_id, data, event, len(attachments), attachments,
        packet.side, packet.place, packet.packets,
    )  # fmt: skip
    return Joined((decoded,))


def _wrong(packet: EioPacket, expected: str, found: str) -> Joined:
    return Joined((), (Anomaly(AnomalyKind.SIO_BAD_SYNTAX, packet.side, packet.place, expected, found),))
