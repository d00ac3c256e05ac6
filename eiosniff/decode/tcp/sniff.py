"""What a TCP flow is, from the first bytes that one side sent: decided early, so that the rest costs nothing."""

from enum import Enum
from typing import Final

from eiosniff.decode.http1.proxy_protocol import NoProxyHeader, proxy_header
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

# RFC 9110, section 9, and PATCH (RFC 5789): other methods do not open Engine.IO conversations.
_METHODS: Final = (b"GET ", b"POST ", b"OPTIONS ", b"HEAD ", b"PUT ", b"CONNECT ", b"DELETE ", b"PATCH ", b"TRACE ")
_STATUS: Final = b"HTTP/1."
_LONGEST: Final = max(len(start) for start in (*_METHODS, _STATUS))
_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # of the client: RFC 9113, section 3.4
# What a server begins with: SETTINGS of stream 0 (RFC 9113, section 6.5) with less than 43 of them.
_HTTP2_LENGTHS: Final = range(6, 256, 6)
_HTTP2_SETTINGS: Final = b"\x04\x00\x00\x00\x00\x00"
_HTTP2_SURE: Final = 11  # bytes that tell
_HTTP2_NO_SETTINGS: Final = b"\0\0\0" + _HTTP2_SETTINGS  # what node:http2 begins with
_TLS_RECORDS: Final = (b"\x14\x03", b"\x15\x03", b"\x16\x03", b"\x17\x03")
_DATA_OPCODES: Final = (1, 2)
_CONTROL_OPCODES: Final = (8, 9, 10)

# A connection captured from its middle may begin inside a message: in so many packets with bytes it must show itself.
MIDSTREAM_TRIES: Final = 8


class Protocol(Enum):
    """What the first bytes look like; the values are what a report calls them."""

    HTTP_REQUEST = "HTTP request"
    HTTP_RESPONSE = "HTTP response"
    WEBSOCKET_CLIENT = "WebSocket, masked"
    WEBSOCKET_SERVER = "WebSocket"
    TLS = "TLS"
    HTTP2 = "HTTP/2"
    OTHER = "other TCP"
    UNKNOWN_YET = ""


UNKNOWN_YET: Final = Protocol.UNKNOWN_YET


def sniff(data: bytes, midstream: bool) -> Protocol:
    """Name the protocol by the first bytes of one side.

    WebSocket frames are believed only where the beginning of the connection was not captured, and only if the whole
    frame looks like one that carries Engine.IO: two bytes are weak evidence.
    """
    if data.startswith(_METHODS):
        return Protocol.HTTP_REQUEST
    if data.startswith(_STATUS):
        return Protocol.HTTP_RESPONSE
    if data[:2] in _TLS_RECORDS:
        return Protocol.TLS
    if data.startswith(_HTTP2_PREFACE) or _is_http2_server(data):
        return Protocol.HTTP2
    if midstream and len(data) >= 2:
        websocket = _websocket(data)
        if websocket is not None:
            return websocket
    if len(data) < _LONGEST and any(start.startswith(data) for start in (*_METHODS, _STATUS, *_TLS_RECORDS)):
        return UNKNOWN_YET
    if _HTTP2_PREFACE.startswith(data) or (len(data) < _HTTP2_SURE and _may_be_http2_server(data)):
        return UNKNOWN_YET
    return Protocol.OTHER


def _is_http2_server(data: bytes) -> bool:
    """Whether a side begins as an HTTP/2 server does that does not wait for its client."""
    return data.startswith(_HTTP2_NO_SETTINGS) or (len(data) >= _HTTP2_SURE and _may_be_http2_server(data))


def _may_be_http2_server(data: bytes) -> bool:
    return _HTTP2_NO_SETTINGS.startswith(data) or (
        b"\0\0".startswith(data[:2])
        and (len(data) < 3 or data[2] in _HTTP2_LENGTHS)
        and _HTTP2_SETTINGS.startswith(data[3:9])
        and (len(data) < _HTTP2_SURE or (data[9] == 0 and 0 < data[10] < 16))  # the first setting has a small number
    )


def _websocket(data: bytes) -> Protocol | None:
    """Recognise a frame of a connection in midstream: FIN, a known opcode, a length that fits, Engine.IO in it."""
    opcode, length, masked = data[0] & 0x0F, data[1] & 0x7F, data[1] & 0x80
    if data[0] & 0xB0 != 0x80 or opcode not in _DATA_OPCODES + _CONTROL_OPCODES:
        return None
    start = 2
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(data[2:10], "big"), 10
    if masked:
        key, start = data[start : start + 4], start + 4
        first = data[start] ^ key[0] if len(data) > start else None
    else:
        first = data[start] if len(data) > start else None
    if opcode in _CONTROL_OPCODES:
        plausible = length <= 125 and len(data) >= start + length
    else:
        compressed = bool(data[0] & 0x40)
        plausible = length > 0 and (compressed or opcode == 2 or (first is not None and first in b"0123456b"))
    if not plausible:
        return None
    return Protocol.WEBSOCKET_CLIENT if masked else Protocol.WEBSOCKET_SERVER


class Sniffer:
    """Looks at what one connection begins with until that tells what it is: captured packet by captured packet, since
    the answer must not depend on how many came at once. `records` is all that came, with the direction of each.
    `proxied` says that it begins with a header of the PROXY protocol, which is passed over.
    """

    __slots__ = ("_midstream", "_said", "_tries", "_untouched", "decided", "proxied", "records")

    def __init__(self, midstream: bool) -> None:
        self.records: list[tuple[int, StreamChunk | Gap | StreamEnd]] = []
        self.decided = 0  # the captured packet that told
        self._midstream = midstream
        self.proxied = False
        self._said = [b"", b""]
        self._untouched = [True, True]  # all that was said since the beginning is known, and has no PROXY header
        self._tries = 0

    @property
    def has_preface(self) -> bool:
        """Whether the side that told what the connection is began as a client of HTTP/2."""
        return self._said[self.records[-1][0]].startswith(_HTTP2_PREFACE)

    def take(self, way: int, record: StreamChunk | Gap | StreamEnd) -> Protocol:
        """Take the next record of a direction."""
        self.records.append((way, record))
        if isinstance(record, Gap):  # what follows it may be the middle of anything
            self._said[way] = b""
            self._untouched[way] = False
            self._midstream = True
        elif isinstance(record, StreamChunk):
            starts = record.starts
            for index, number in enumerate(record.numbers):
                end = starts[index + 1] if index + 1 < len(starts) else len(record.data)
                protocol = self._look(way, record.data[starts[index] : end])
                if protocol is not UNKNOWN_YET:
                    self.decided = record.delivered or number
                    return protocol
        return UNKNOWN_YET

    def _look(self, way: int, data: bytes) -> Protocol:
        """Look at the bytes of one packet, and at all that its side said."""
        self._said[way] += data
        self._tries += 1
        if self._untouched[way]:
            header = proxy_header(self._said[way])
            if header is NoProxyHeader.YET:
                return UNKNOWN_YET
            self._untouched[way] = False
            if not isinstance(header, NoProxyHeader):
                self.proxied = True
                data = self._said[way] = self._said[way][header.end :]
        if not data:
            return UNKNOWN_YET
        protocol = sniff(self._said[way], self._midstream)
        if protocol is Protocol.OTHER and self._midstream:
            protocol = sniff(data, midstream=True)
            if protocol in (Protocol.OTHER, UNKNOWN_YET):
                return UNKNOWN_YET if self._tries < MIDSTREAM_TRIES else Protocol.OTHER
        return protocol
