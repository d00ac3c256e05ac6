"""What goes through an HTTP proxy after CONNECT: a connection within a connection (RFC 9110, section 9.3.6)."""

from typing import Final, final

from eiosniff.decode.sniff import UNKNOWN_YET, Protocol, Sniffer
from eiosniff.model.http import HttpRequest

# One proxy behind the other: a client rarely asks for more than one, and only to keep the memory in bounds is there
# an end.
MAX_TUNNELS: Final = 4


@final
class Tunnel:
    """A tunnel of one connection, and what is in it once its first bytes told.

    `starts` are the stream offsets at which it begins, by side; `depth` is 1 for a tunnel that is in no other one;
    `port` is where the client asked the proxy to connect to, 0 if that was not captured.
    """

    __slots__ = ("depth", "holds", "port", "sniffer", "starts")

    def __init__(self, request: HttpRequest, starts: list[int], depth: int) -> None:
        port = request.target.rpartition(b":")[2]
        self.port = int(port) if port.isdigit() and len(port) <= 5 else 0
        self.starts = starts
        self.depth = depth
        self.holds: Protocol = UNKNOWN_YET
        # None once it has told.
        self.sniffer: Sniffer | None = Sniffer(midstream=False)
