"""QUIC, by column: which servers speak it, and how many datagrams there are. Its content is encrypted (RFC 9001).

A connection begins with packets of the long header form, which name a version; later ones show a single bit (RFC 9000,
section 17). So a server is known by its handshakes, on any port, and what comes to and from it afterwards is counted.
On UDP port 443, where HTTP/3 lives, that bit is enough: a capture may begin after the handshake.
"""

from collections.abc import Callable
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from eiosniff.decode.packets.addresses import AddressTable
from eiosniff.model.batch import Int64s
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.unread import Unread, UnreadKind

HEADER: Final = np.dtype(  # RFC 768, and the beginning of what it carries (RFC 9000, section 17.2)
    [("source_port", ">u2"), ("destination_port", ">u2"), ("length", ">u2"), ("checksum", ">u2"), ("flags", "u1"),
     ("version", ">u4")]
)  # fmt: skip
HTTPS: Final = 443
MAX_SERVERS: Final = 256

_LONG: Final = 0x80
_FIXED: Final = 0x40  # set in all packets (RFC 9000, section 17) of those who do not agree otherwise (RFC 9287)
_VERSIONS: Final = {0x00000001: "version 1", 0x6B3343CF: "version 2"}  # RFC 9000, RFC 9369
_DRAFT: Final = "a draft"  # of version 1: 0xff0000NN
# IP addresses, as ids, of the sources and destinations of rows (indices of the columns that were given with them).
Addresses = Callable[[npt.NDArray[np.bool_]], tuple[Int64s, Int64s]]
# The captured payload of the datagram in a row.
Payload = Callable[[int], bytes]


@final
class Datagram:
    """A UDP datagram of a QUIC server, or to it: the captured packet, the packed endpoints, the payload."""

    __slots__ = ("client", "data", "from_client", "number", "server", "ts_ns")

    def __init__(self, number: int, ts_ns: int, client: int, server: int, from_client: bool, data: bytes) -> None:
        self.number = number
        self.ts_ns = ts_ns
        self.client = client
        self.server = server
        self.from_client = from_client
        self.data = data


class QuicServer:
    """One server: the first datagram, how many, and in which versions its handshakes were.

    `answers` counts those that the server sent, `short` those of clients in the short header form, which come when the
    handshake is over; `last` is the last one.
    """

    __slots__ = ("answers", "datagrams", "first", "last", "short", "versions")

    def __init__(self, first: PacketRef) -> None:
        self.first = self.last = first
        self.datagrams = 0
        self.answers = 0
        self.short = 0
        self.versions: dict[str, None] = {}


class QuicCounter:
    """The QUIC servers of a capture, by packed endpoint (`address id << 16 | port`, ids are those of `addresses`).

    What they say and are told is kept in `datagrams`, in the order of the capture, if that is a list: whoever made it
    one empties it.
    """

    def __init__(self) -> None:
        self.datagrams: list[Datagram] | None = None
        self.servers: dict[int, QuicServer] = {}
        self.addresses = AddressTable()

    def take(
        self, header: npt.NDArray[Any], number: Int64s, ts_ns: Int64s, addresses: Addresses, payload: Payload
    ) -> None:
        """Take the UDP datagrams of a batch that are long enough, in the order of the capture.

        `header` is of type `HEADER`, `number` and `ts_ns` are those of the captured packets.
        """
        flags, version = header["flags"], header["version"]
        fixed = flags & _FIXED != 0
        long = fixed & (flags & _LONG != 0) & (np.isin(version, list(_VERSIONS)) | (version >> 8 == 0xFF0000))
        short = fixed & (flags & _LONG == 0)
        source, destination = header["source_port"], header["destination_port"]
        ports = {HTTPS, *(server & 0xFFFF for server in self.servers)}
        ports.update(source[long].tolist(), destination[long].tolist())
        wanted = (long | short) & (np.isin(source, list(ports)) | np.isin(destination, list(ports)))
        if not wanted.any():
            return
        sources, destinations = addresses(wanted)
        sources = sources << 16 | source[wanted]
        destinations = destinations << 16 | destination[wanted]
        places = number[wanted], ts_ns[wanted]
        self._find_servers(sources, destinations, np.where(long, version, 0)[wanted], places)
        if self.servers:
            to_server, from_server = self._count(sources, destinations, places, short[wanted])
            if self.datagrams is not None:
                rows = np.flatnonzero(wanted)
                for at in np.flatnonzero(to_server | from_server).tolist():
                    ends = int(sources[at]), int(destinations[at])
                    place = int(places[0][at]), int(places[1][at])
                    self._keep(place, ends, bool(to_server[at]), payload(int(rows[at])))
        if self.addresses.is_crowded:
            clients = [each.client for each in self.datagrams or ()]  # which somebody will ask for
            self.addresses.keep(end >> 16 for end in (*self.servers, *clients))

    def _keep(self, place: tuple[int, int], ends: tuple[int, int], from_client: bool, data: bytes) -> None:
        client, server = ends if from_client else (ends[1], ends[0])
        if self.datagrams is not None:
            self.datagrams.append(Datagram(place[0], place[1], client, server, from_client, data))

    def _find_servers(self, sources: Int64s, destinations: Int64s, version: Int64s, places: tuple[Int64s, ...]) -> None:
        """Learn of the servers whose first datagram is among these (`version` is 0 for the short header form)."""
        on_https = (sources & 0xFFFF == HTTPS) | (destinations & 0xFFFF == HTTPS)
        telling = np.flatnonzero((version != 0) | on_https)
        rows = np.stack((sources, destinations, version.astype(np.int64)), axis=1)[telling]
        _, firsts = np.unique(rows, axis=0, return_index=True)
        for at in np.sort(firsts).tolist():
            source, destination, value = rows[at].tolist()
            server = self._server_of(source, destination)
            known = self.servers.get(server)
            if known is None:
                if len(self.servers) >= MAX_SERVERS:
                    continue
                first = int(telling[at])
                known = self.servers[server] = QuicServer(PacketRef(int(places[0][first]), int(places[1][first])))
            if value:
                known.versions[_VERSIONS.get(value, _DRAFT)] = None

    def _server_of(self, source: int, destination: int) -> int:
        """Which end is the server: the one that is known as such, has the port of HTTPS, or is asked first."""
        for end in (destination, source):
            if end in self.servers:
                return end
        return source if source & 0xFFFF == HTTPS and destination & 0xFFFF != HTTPS else destination

    def _count(
        self, sources: Int64s, destinations: Int64s, places: tuple[Int64s, ...], short: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Count the datagrams of known servers, from the first one on; returns which go to one, and come from one."""
        number, ts_ns = places
        known = np.array(sorted(self.servers), np.int64)
        since = np.array([self.servers[server].first.number for server in known.tolist()], np.int64)
        at_source, is_source = _find(known, since, sources, number)
        at_destination, is_destination = _find(known, since, destinations, number)
        involved = np.flatnonzero(is_destination | is_source)
        at, asks = np.where(is_destination, at_destination, at_source)[involved], is_destination[involved]
        last = np.full(len(known), -1, np.int64)
        last[at] = involved  # of the rows of one server, the last stays
        datagrams, answers, shorts = (
            np.bincount(at[chosen], minlength=len(known)).tolist()
            for chosen in (slice(None), ~asks, asks & short[involved])
        )
        for index in np.flatnonzero(last >= 0).tolist():
            server, row = self.servers[int(known[index])], int(last[index])
            server.datagrams += datagrams[index]
            server.answers += answers[index]
            server.short += shorts[index]
            server.last = PacketRef(int(number[row]), int(ts_ns[row]))
        return is_destination, is_source

    def endpoint(self, packed: int) -> Endpoint:
        """An endpoint as it is packed in a `Datagram`, in the batch of that one."""
        return Endpoint(self.addresses.text(packed >> 16), packed & 0xFFFF)

    def ledgers(self) -> list[Unread]:
        """What the summary shows of them, in the order of the capture."""
        found = []
        for packed, server in sorted(self.servers.items(), key=lambda entry: entry[1].first.number):
            versions = ", ".join(sorted(server.versions))
            unread = Unread(UnreadKind.QUIC, self.endpoint(packed), server.first, server.datagrams, versions)
            unread.answers, unread.short, unread.last = server.answers, server.short, server.last
            found.append(unread)
        return found


def _find(known: Int64s, since: Int64s, ends: Int64s, number: Int64s) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Where each of the ends is among the known servers (which are sorted), and whether it is, by that packet."""
    at = np.minimum(np.searchsorted(known, ends), len(known) - 1)
    return at, (known[at] == ends) & (number >= since[at])
