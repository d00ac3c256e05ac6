"""What a TLS connection says in clear before it encrypts: for which server, which protocols, which version.

A bystander without keys reads the ClientHello, the ServerHello and alerts before the keys are in use (RFC 8446,
sections 4.1.2, 4.1.3, 5.1 and 6; RFC 5246, section 7). Of each connection only its first bytes are looked at.
"""

from typing import Final, NamedTuple, final

from eiosniff.decode.tls.shape import hello_shape
from eiosniff.model.http import text_of
from eiosniff.model.provenance import NO_PACKET, PacketRef
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

# Content types of records, types of handshake messages and extensions, as IANA numbers them.
_CHANGE_CIPHER_SPEC: Final = 20
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2
_CERTIFICATE: Final = 11
_CERTIFICATE_REQUEST: Final = 13
_SERVER_NAME: Final = 0
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
_SESSION_TICKET: Final = 35  # RFC 5077
_EARLY_DATA: Final = 42
_ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D  # RFC 9849
_HOST_NAME: Final = 0

_RECORDS: Final = (_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA)
_HTTP: Final = b"HTTP/"
_RECORD_HEADER: Final = 5
_MESSAGE_HEADER: Final = 4
_LARGEST_RECORD: Final = (1 << 14) + 2048  # RFC 5246, section 6.2.3
# Of one connection. A ClientHello has a few hundred bytes (2 KB with a post-quantum key share), a server's certificates
# have 2 to 16 KB, and only an alert is of interest behind them.
MOST_PACKETS: Final = 64
MOST_BYTES: Final = 49_152
_MOST_EXTENSIONS: Final = 64
_MOST_MESSAGES: Final = 8  # of a handshake, behind the hello
_MOST_INSIDE: Final = 3  # records that a client encrypts: the last ones of its handshake, and one with data
_MOST_PROTOCOLS: Final = 8

TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304
# The random of a HelloRetryRequest (RFC 8446, section 4.1.3).
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_ALERT_INSIDE: Final = 19  # bytes that an alert takes in TLS 1.3: two, the type, and what seals them (RFC 8446, 5.2)
_VERSIONS: Final = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", TLS_1_3: "TLS 1.3"}
_FATAL: Final = 2
_CLOSE_NOTIFY: Final = 0
_ALERTS: Final = {  # RFC 8446, section 6, and what RFC 5246 had besides
    10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}  # fmt: skip


def version_name(version: int) -> str:
    """What a version is called; drafts of TLS 1.3 (0x7fNN) are told from what nobody knows."""
    return _VERSIONS.get(version) or ("a draft of TLS 1.3" if version >> 8 == 0x7F else "an unknown version")


def alert_name(alert: int) -> str:
    """The name of an alert, or its number."""
    return _ALERTS.get(alert) or f"alert {alert}"


class ClientHello(NamedTuple):
    """What a client asks for: see `model.unread.Encrypted`. `encrypted`: it has an Encrypted Client Hello. `newest` is
    the newest version that it offers. `session` and `ticket` are what it wants to go on with (up to TLS 1.2), empty for
    none; `early`: it sends data at once (RFC 8446, section 4.2.10). For `shape` see `tls.shape`."""

    name: str | None
    alpn: tuple[str, ...]
    encrypted: bool
    newest: int
    random: bytes = b""
    session: bytes = b""
    ticket: bytes = b""
    early: bool = False
    shape: str = ""


class ServerHello(NamedTuple):
    """What a server chose; `alpn` is empty where it chose nothing, or says so in what is encrypted. `suite` and
    `compression` are as IANA numbers them; `retry`: it asks for another ClientHello (RFC 8446, section 4.1.4)."""

    version: int
    alpn: str
    random: bytes = b""
    session: bytes = b""
    suite: int = 0
    compression: int = 0
    retry: bool = False


def read_client_hello(body: bytes) -> ClientHello:
    """Read the body of a ClientHello (RFC 8446, section 4.1.2), as far as it goes: it may be cut anywhere."""
    at = _behind_vector(body, 2 + 32, 1)  # legacy_version, random; legacy_session_id
    random, session = body[2:34], body[35:at]
    at = _behind_vector(body, at, 2)  # cipher_suites
    at = _behind_vector(body, at, 1)  # legacy_compression_methods
    name: str | None = None
    alpn: tuple[str, ...] = ()
    encrypted = early = False
    ticket = b""
    newest = int.from_bytes(body[0:2], "big")
    for kind, data in _extensions(body, at):
        if kind == _SUPPORTED_VERSIONS:
            newest = _newest(data) or newest
        elif kind == _SERVER_NAME:
            name = _server_name(data)
        elif kind == _ALPN:
            alpn = _protocols(data)
        elif kind == _ENCRYPTED_CLIENT_HELLO:
            encrypted = True
        elif kind == _SESSION_TICKET:
            ticket = data
        elif kind == _EARLY_DATA:
            early = True
    return ClientHello(name, alpn, encrypted, newest, random, session, ticket, early, hello_shape(body))


def read_server_hello(body: bytes) -> ServerHello:
    """Read the body of a ServerHello or a HelloRetryRequest (RFC 8446, sections 4.1.3 and 4.1.4)."""
    version = int.from_bytes(body[0:2], "big")
    at = _behind_vector(body, 2 + 32, 1)  # random, legacy_session_id_echo
    random, session = body[2:34], body[35:at]
    suite = int.from_bytes(body[at : at + 2], "big")
    compression = int.from_bytes(body[at + 2 : at + 3], "big")
    at += 3
    alpn: tuple[str, ...] = ()
    for kind, data in _extensions(body, at):
        if kind == _SUPPORTED_VERSIONS and len(data) == 2:
            version = int.from_bytes(data, "big")
        elif kind == _ALPN:
            alpn = _protocols(data)
    retry = random == _RETRY
    return ServerHello(version, alpn[0] if alpn else "", random, session, suite, compression, retry)


def accepts_early(body: bytes) -> bool:
    """Whether EncryptedExtensions (RFC 8446, section 4.3.1) say that early data were accepted."""
    return any(kind == _EARLY_DATA for kind, _ in _extensions(body, 0))


def ticket_of(body: bytes) -> bytes:
    """The ticket in a NewSessionTicket up to TLS 1.2 (RFC 5077, section 3.3)."""
    return body[6 : _behind_vector(body, 4, 2)]


def _behind_vector(body: bytes, at: int, size: int) -> int:
    """Where the vector ends whose length, of `size` bytes, is at `at`; behind the body if it is cut."""
    if at + size > len(body):
        return len(body)
    return at + size + int.from_bytes(body[at : at + size], "big")


def _extensions(body: bytes, at: int) -> list[tuple[int, bytes]]:
    """The extensions that are there as a whole; their length is at `at`."""
    end = min(_behind_vector(body, at, 2), len(body))
    at += 2
    found: list[tuple[int, bytes]] = []
    while at + 4 <= end and len(found) < _MOST_EXTENSIONS:
        kind = int.from_bytes(body[at : at + 2], "big")
        behind = at + 4 + int.from_bytes(body[at + 2 : at + 4], "big")
        if behind > end:
            break
        found.append((kind, body[at + 4 : behind]))
        at = behind
    return found


def _newest(data: bytes) -> int:
    """The newest of the versions in the extension that are known (RFC 8446, section 4.2.1); 0 for none."""
    versions = [int.from_bytes(data[at : at + 2], "big") for at in range(1, len(data) - 1, 2)]
    return max((version for version in versions if version in _VERSIONS), default=0)


def _server_name(data: bytes) -> str | None:
    """The first host name of the extension (RFC 6066, section 3)."""
    at, end = 2, min(_behind_vector(data, 0, 2), len(data))
    while at + 3 <= end:
        behind = _behind_vector(data, at + 1, 2)
        if data[at] == _HOST_NAME and at + 3 < behind <= end:
            return text_of(data[at + 3 : behind])
        at = behind
    return None


def _protocols(data: bytes) -> tuple[str, ...]:
    """The names in the extension (RFC 7301, section 3.1), but for those that stand for nothing (RFC 8701)."""
    at, end = 2, min(_behind_vector(data, 0, 2), len(data))
    names: list[str] = []
    while at + 1 < end and len(names) < _MOST_PROTOCOLS:
        behind = at + 1 + data[at]
        name = data[at + 1 : behind]
        if behind <= end and len(name) > 0 and not _is_grease(name):
            names.append(text_of(name))
        at = behind
    return tuple(names)


def _is_grease(name: bytes) -> bool:
    return len(name) == 2 and name[0] == name[1] and name[0] & 0x0F == 0x0A


@final
class _Side:
    """One direction: its records, until it has said what it says in clear. `silent`: nothing more will be clear.

    Of handshake messages behind the hello, only which there were is kept (`messages`). `http` says that it speaks HTTP,
    and no TLS. When it encrypts, `inside` are types and lengths of its first few records.
    """

    __slots__ = (
        "_left", "_message", "_record", "alert", "client_hello", "http", "inside", "messages", "server_hello", "silent",
    )  # fmt: skip

    def __init__(self) -> None:
        self._record = b""  # bytes of a record that is not complete
        self._message = b""  # and of a handshake message
        self._left = 0  # bytes of a message that are passed over
        self.silent = False
        self.client_hello: ClientHello | None = None
        self.server_hello: ServerHello | None = None
        self.alert = -1
        self.http = False
        self.messages: tuple[int, ...] = ()
        self.inside: tuple[tuple[int, int], ...] = ()

    @property
    def greeted(self) -> bool:
        """Whether its hello was read."""
        return self.client_hello is not None or self.server_hello is not None

    @property
    def listens(self) -> bool:
        """Whether more of it is of interest: what a client encrypts shows whether it goes on."""
        return not self.silent or (self.client_hello is not None and len(self.inside) < _MOST_INSIDE)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        data = self._record + data
        self._record = b""
        at = 0
        while self.listens and at + _RECORD_HEADER <= len(data):
            kind, length = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
            if kind not in _RECORDS or data[at + 1] != 3 or length > _LARGEST_RECORD:
                self.http = at == 0 and not self.greeted and data[:_RECORD_HEADER] == _HTTP
                self._cease()
                return
            end = at + _RECORD_HEADER + length
            if end > len(data):
                break
            if not self.silent and kind in (_ALERT, _HANDSHAKE):
                body = data[at + _RECORD_HEADER : end]
                if kind == _ALERT:
                    self._read_alert(body)
                else:
                    self._read_messages(body)
            else:
                self.stop()
                if kind != _CHANGE_CIPHER_SPEC and self.client_hello is not None:
                    self.inside = (*self.inside, (kind, length))
            at = end
        self._record = data[at:] if self.listens else b""

    def _cease(self) -> None:
        """No TLS, or not any more."""
        self.stop()
        self.inside = self.inside + ((0, 0),) * (_MOST_INSIDE - len(self.inside))

    def stop(self) -> None:
        """What follows is encrypted, or missing. Of a ClientHello that is cut, what is there may tell enough."""
        if not self.silent and not self.greeted:
            record = self._record
            message = self._message
            if len(record) > _RECORD_HEADER and record[0] == _HANDSHAKE:
                message += record[_RECORD_HEADER:]
            if len(message) > _MESSAGE_HEADER and message[0] == _CLIENT_HELLO:
                hello = read_client_hello(message[_MESSAGE_HEADER:])
                if hello.name is not None or hello.alpn:
                    self.client_hello = hello
        self.silent = True
        self._record = self._message = b""

    def _read_alert(self, body: bytes) -> None:
        if len(body) != 2:  # RFC 8446, section 6; an encrypted one is longer
            self.stop()
        elif body[0] == _FATAL:
            self.alert = body[1]
            self.stop()
        elif body[1] == _CLOSE_NOTIFY:
            self.stop()

    def _read_messages(self, body: bytes) -> None:
        """Read the hello, and which messages come behind it."""
        message = self._message + body
        self._message = b""
        if self.greeted:
            self._pass_over(message)
            return
        if len(message) >= _MESSAGE_HEADER:
            end = _MESSAGE_HEADER + int.from_bytes(message[1:4], "big")
            if message[0] not in (_CLIENT_HELLO, _SERVER_HELLO):
                self.stop()
                return
            if end <= len(message):
                if message[0] == _CLIENT_HELLO:
                    self.client_hello = read_client_hello(message[_MESSAGE_HEADER:end])
                else:
                    self.server_hello = read_server_hello(message[_MESSAGE_HEADER:end])
                self._pass_over(message[end:])
                return
        self._message = message

    def _pass_over(self, messages: bytes) -> None:
        """Note which messages these are; the last may go on in the next record."""
        at = min(self._left, len(messages))
        self._left -= at
        while at + _MESSAGE_HEADER <= len(messages) and len(self.messages) < _MOST_MESSAGES:
            self.messages = (*self.messages, messages[at])
            end = at + _MESSAGE_HEADER + int.from_bytes(messages[at + 1 : at + 4], "big")
            self._left = max(0, end - len(messages))
            at = min(end, len(messages))
        if self._left == 0 and len(self.messages) < _MOST_MESSAGES:
            self._message = messages[at:]


@final
class TlsHandshake:
    """The part in clear of one connection's handshake: give it what comes, until it is `done`.

    Packet by packet, since the answer must not depend on how many came at once. `decided` is the captured packet with
    which it was done, `first` the first one with bytes, `last` the last one that was taken. `ended_by` is the direction
    that ended first, -1 if none did; `answered` the packet with the server's first bytes; `said` whether a direction
    said anything. `under_way` is to be set when the capture ends before it is done. Directions are 0 and 1 of the flow.
    """

    __slots__ = (
        "_bytes", "_packets", "_sides", "answered", "decided", "done", "ended_by", "first", "last", "said", "under_way",
    )  # fmt: skip

    def __init__(self) -> None:
        self._sides = (_Side(), _Side())
        self._packets = 0
        self._bytes = 0
        self.done = False
        self.said = [False, False]
        self.under_way = False
        self.decided = 0
        self.first = NO_PACKET
        self.last = NO_PACKET
        self.answered = NO_PACKET
        self.ended_by = -1

    @property
    def client(self) -> int | None:
        """The direction in which the client sends, as far as a hello tells."""
        for way in (0, 1):
            side = self._sides[way]
            if side.client_hello is not None:
                return way
            if side.server_hello is not None:
                return 1 - way
        return None

    @property
    def client_hello(self) -> ClientHello | None:
        """What the client asked for."""
        return self._sides[0].client_hello or self._sides[1].client_hello

    @property
    def server_hello(self) -> ServerHello | None:
        """What the server chose."""
        return self._sides[0].server_hello or self._sides[1].server_hello

    def alert(self, way: int) -> int:
        """The fatal alert that a direction ended with, -1 if there was none."""
        return self._sides[way].alert

    def answers_http(self, way: int) -> bool:
        """Whether a direction speaks HTTP in clear, and no TLS."""
        return self._sides[way].http

    @property
    def certificate(self) -> bool:
        """Whether the server's certificate was seen in clear, as up to TLS 1.2."""
        return _CERTIFICATE in self._sides[0].messages or _CERTIFICATE in self._sides[1].messages

    @property
    def asks_for_certificate(self) -> bool:
        """Whether the server wants one of the client, as far as that is in clear."""
        return any(_CERTIFICATE_REQUEST in side.messages for side in self._sides)

    @property
    def alert_inside(self) -> bool:
        """Whether the client's first encrypted record is an alert, by its length (TLS 1.3)."""
        server, inside = self.server_hello, self._inside
        return server is not None and server.version >= TLS_1_3 and inside[:1] == ((_APPLICATION_DATA, _ALERT_INSIDE),)

    @property
    def goes_on(self) -> bool:
        """Whether the client sends more than what the handshake takes and how it ends."""
        server = self.server_hello
        sealed = [length for kind, length in self._inside if kind in (0, _APPLICATION_DATA) and length != _ALERT_INSIDE]
        return len(sealed) > (1 if server is not None and server.version >= TLS_1_3 else 0)

    @property
    def _inside(self) -> tuple[tuple[int, int], ...]:
        return self._sides[0].inside or self._sides[1].inside

    def take(self, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        """Take the next record of a direction."""
        if isinstance(record, StreamChunk):
            self.said[way] = True
            starts = record.starts
            for index, number in enumerate(record.numbers):
                if self.done:
                    return
                end = starts[index + 1] if index + 1 < len(starts) else len(record.data)
                self.last = PacketRef(number, record.times[index])
                if self.first is NO_PACKET:
                    self.first = self.last
                if self.answered is NO_PACKET and way == 1 - (self.client or 0):
                    self.answered = self.last
                self._feed(way, record.data[starts[index] : end])
                self.decided = max(self.decided, record.delivered or number)
        elif not self.done:
            if isinstance(record, StreamEnd):
                self.end(way, record.place)
            self._sides[way].stop()
            self.decided = max(self.decided, record.place.number)
            self._look()

    def end(self, way: int, place: PacketRef) -> None:
        """A direction ended."""
        if self.ended_by < 0:
            self.last = place
            self.ended_by = way

    def tell_alert(self, way: int, alert: int) -> None:
        """A direction ended the handshake with a fatal alert that was encrypted."""
        side = self._sides[way]
        if side.alert < 0:
            side.alert = alert

    def close(self) -> None:
        """The connection is over."""
        for side in self._sides:
            side.stop()
        self.done = True

    def _feed(self, way: int, data: bytes) -> None:
        self._packets += 1
        self._bytes += len(data)
        side = self._sides[way]
        if side.listens:
            side.feed(data)
        if self._packets >= MOST_PACKETS or self._bytes >= MOST_BYTES:
            self.close()
        else:
            self._look()

    def _look(self) -> None:
        """Whether there is nothing more to be read in clear.

        A server that chose TLS 1.3 encrypts from there on. Before that, alerts are in clear until a side changes to the
        keys. A side that goes silent without a hello is in the middle of a connection, unless the other side's hello is
        still to come: a client may send early data (RFC 8446, section 4.2.10) before the server has said anything.
        """
        one, other = self._sides
        server = self.server_hello
        over = one.alert >= 0 or other.alert >= 0
        if one.greeted and other.greeted and server is not None:
            encrypts = server.version >= TLS_1_3 or (one.silent and other.silent)
            over = over or self.goes_on or self.ended_by >= 0
            if over or (encrypts and not (one.listens or other.listens)):
                self.close()
            return
        silent = one.silent or other.silent
        if over or (one.silent and other.silent) or (silent and self._one_never_greets()):
            self.close()

    def _one_never_greets(self) -> bool:
        return self._sides[0].greeted == self._sides[1].greeted or self._silent_without_hello()

    def _silent_without_hello(self) -> bool:
        """Whether the side that says nothing more never said hello, so that the other will not, either."""
        return any(side.silent and not side.greeted for side in self._sides)
