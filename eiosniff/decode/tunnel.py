"""A connection within a connection: what goes through an HTTP proxy after CONNECT (RFC 9110, section 9.3.6), and what
TLS carries."""

from typing import Final, final

from eiosniff.decode.tcp.sniff import UNKNOWN_YET, Protocol, Sniffer
from eiosniff.model.http import HttpRequest
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

# One proxy behind the other: a client rarely asks for more than one, and only to keep the memory in bounds is there
# an end.
MAX_TUNNELS: Final = 4


@final
class Tunnel:
    """A tunnel of one connection, and what is in it once its first bytes told.

    `starts` are the stream offsets at which it begins, by side; `depth` is 1 for a tunnel that is in no other one, 0
    for what TLS carries that is in none; `port` is where the client asked the proxy to connect to, 0 if that is not
    known. `beginning` are the records
    that told that it holds TLS, each with the side that sent it.
    """

    __slots__ = ("beginning", "depth", "holds", "port", "sniffer", "starts")

    def __init__(self, port: int, starts: list[int], depth: int) -> None:
        self.port = port
        self.starts = starts
        self.depth = depth
        self.beginning: list[tuple[int, StreamChunk | Gap | StreamEnd]] = []
        self.holds: Protocol = UNKNOWN_YET
        # None once it has told.
        self.sniffer: Sniffer | None = Sniffer(midstream=False)


def port_of(request: HttpRequest) -> int:
    """The port that a CONNECT names, 0 if it names none."""
    port = request.target.rpartition(b":")[2]
    return int(port) if port.isdigit() and len(port) <= 5 else 0
