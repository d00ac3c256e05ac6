"""What a capture holds that is not read: what is encrypted, and what is of a protocol that nobody decodes here."""

from dataclasses import dataclass, field
from enum import Enum

from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef
from eiosniff.model.tally import Tally


class FailedHow(Enum):
    """How a TLS handshake failed that got an answer, or an alert. The value is what a report calls it."""

    ALERT = "fatal alert"
    ALERT_INSIDE = "encrypted alert"  # of the client, by its length (TLS 1.3)
    GAVE_UP = "the client ended the connection right after the handshake, and sent nothing over it"


class Undecrypted(Enum):
    """Why a TLS connection was not decrypted although there are secrets. The value is what a report calls it."""

    NO_KEYS = "the key log has no secret of it"
    HALF = "the key log has the secret of one direction only"
    WRONG_KEYS = "the secrets are not those of this connection"
    NO_HELLO = "its beginning was not captured"
    ONE_SIDED = "only one direction of it was captured"
    CIPHER = "its cipher is not decrypted here"
    LOST = "too much of it was not captured"


@dataclass(slots=True, frozen=True)
class FailedHandshake:
    """A TLS handshake that failed: its ClientHello, the first packet of the answer (`NO_PACKET`: there was none), the
    packet with which it failed. `after` names the last message before that, such as `Certificate`."""

    hello: PacketRef
    answered: PacketRef
    last: PacketRef
    after: str


@dataclass(slots=True, eq=False)
class Encrypted:
    """TLS connections to one server, under one name and with one offer of protocols.

    `name` is the server name of the ClientHello (RFC 6066, section 3), None where it has none; `alpn` the application
    protocols that it offers (RFC 7301), in its order, without those that stand for nothing (RFC 8701). Unless `greeted`
    the ClientHello was not captured, and neither says anything. `versions` counts the versions that the server chose,
    and `chosen` the protocols, both as far as they are sent in clear: a TLS 1.3 server names the protocol in what is
    encrypted. `alerts` counts fatal alerts in clear, such as `client: unknown_ca`. `refused` are the packets with which
    the server ended a handshake: a fatal alert, or a RST or FIN where its hello should have come. Of `outer`
    connections the name may be that of a front: the client sent an Encrypted Client Hello, or something that looks like
    one.

    Of `decrypted` connections the secrets are known, and what is in them is followed as if it were in clear.
    `undecrypted` tells of others why not, with the ClientHellos; it is empty where no secrets were given. `ciphers` are
    those that are not decrypted here.

    `under_way` counts handshakes that had neither succeeded nor failed when the capture ended; `settled` the others.
    `offered` counts the newest versions that clients offer, and `shapes` what their hellos look like (see
    `decode.tls.shape`), of the first few that differ. `failures` are by how, and by whose and which alert (both
    empty where there is none in clear); `plain` are answers by HTTP in clear: the server speaks no TLS there.
    `speaks_engineio`: a session in clear is with the same address; `in_clear`: with the same port, too.
    """

    server: Endpoint
    name: str | None
    alpn: tuple[str, ...]
    greeted: bool
    first: PacketRef
    connections: int = 0
    under_way: int = 0
    outer: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)
    refused: Tally[PacketRef] = field(default_factory=Tally)
    offered: dict[str, int] = field(default_factory=dict)
    failures: dict[tuple[FailedHow, str, str], Tally[FailedHandshake]] = field(default_factory=dict)
    plain: Tally[PacketRef] = field(default_factory=Tally)
    shapes: dict[str, int] = field(default_factory=dict)
    asks_for_certificate: bool = False  # the server wants one of the client
    decrypted: int = 0
    undecrypted: dict[Undecrypted, Tally[PacketRef]] = field(default_factory=dict)
    ciphers: dict[str, int] = field(default_factory=dict)
    speaks_engineio: bool = False
    in_clear: bool = False

    @property
    def settled(self) -> int:
        """The connections of which is known what became of the handshake."""
        return self.connections - self.under_way


class UnreadKind(Enum):
    """A protocol that is recognised and not decoded. The value is what a report calls it."""

    QUIC = "QUIC"
    LINK = "link type"


@dataclass(slots=True, eq=False)
class Unread:
    """What is not decoded, of one kind and to one server (of one link type, which is then the `detail`).

    `count` is of datagrams of both directions for QUIC, of packets for a link type, of which
    `first` is not known. Of QUIC, `detail` names the versions; it is empty where no handshake was captured.
    """

    kind: UnreadKind
    server: Endpoint | None
    first: PacketRef = NO_PACKET
    count: int = 0
    detail: str = ""
    answers: int = 0  # of QUIC: datagrams of the server,
    short: int = 0  # and those of clients that come after the handshake
    last: PacketRef = NO_PACKET  # of QUIC
    speaks_engineio: bool = False  # a server of that address speaks Engine.IO in clear in this capture
    webtransport: bool = False  # and offers WebTransport
