"""Connections that did not come about, and which ones did later, into the ledger of the capture."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Final

from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.fleet import MAX_FAILED
from eiosniff.model.peers import Server
from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef
from eiosniff.model.session import Connection
from eiosniff.model.summary import CaptureSummary, ConnectFailure, FailedConnect, FailedConnects

MAX_FAILED_CONNECTS: Final = 1024
MAX_REACHED: Final = 4_000  # pairs of a client and a server
# A SYN without an answer is a fault when it had this long to get one (RFC 6298, section 2: the first retransmission
# comes after 1 s), or was repeated.
UNANSWERED_SYN_NS: Final = 1_000_000_000
# Of those that are kept, at least so many may have failed once: who scans fails once at each port, who cannot reach a
# server tries again.
_ONCE: Final = 4  # a fourth

_Failure = tuple[str, Endpoint, ConnectFailure]
_Numbered = tuple[int, FailedConnects]  # in the order in which they were first seen


class Connects:
    """What connections came to. `endpoint` unpacks an end of a flow.

    Connections of a batch are not told of in the order of the capture: `settle` after each batch puts them into it.
    """

    def __init__(self, endpoint: Callable[[int], Endpoint]) -> None:
        self._endpoint = endpoint
        # In the batch at hand, with the captured packet that showed it.
        self._failures: list[tuple[int, _Failure, FailedConnect]] = []
        self._once: dict[_Failure, _Numbered] = {}  # the oldest first
        self._again: dict[_Failure, _Numbered] = {}  # those that failed last at the end
        self._count = 0
        # The last connection that came about, of so many pairs; and up to when others had one that is forgotten.
        self._reached: dict[tuple[str, Endpoint], PacketRef] = {}
        self._forgotten = NO_PACKET

    def reached(self, ledger: Connection) -> None:
        """A connection came about."""
        ends = ledger.peers
        known = self._reached.pop(ends, NO_PACKET)
        self._reached[ends] = ledger.first if known < ledger.first else known
        if len(self._reached) > MAX_REACHED:
            self._forgotten = max(self._forgotten, self._reached.pop(next(iter(self._reached))))

    def failed(self, client: str, server: Endpoint, failure: ConnectFailure, failed: FailedConnect) -> None:
        """A connection did not come about, as somebody else tells."""
        self._note((client, server, failure), failed)

    def look(self, flow: Flow, order: int, until_ns: int) -> None:
        """Whether a connection did not come about: its SYN was refused, or not answered until then."""
        client = flow.client
        if client is None:
            return
        asked, answered = flow.directions[client], flow.directions[1 - client]
        syn = asked.syn
        if syn is None or answered.syn is not None or asked.offset or answered.offset:
            return
        if flow.reset is not None and flow.reset_by != client:
            failure = ConnectFailure.REFUSED
        elif flow.syn_repeats or until_ns - syn.ts_ns > UNANSWERED_SYN_NS:
            failure = ConnectFailure.UNANSWERED
        else:
            return
        key = (self._endpoint(flow.ends[client]).address, self._endpoint(flow.ends[1 - client]), failure)
        last = flow.reset if failure is ConnectFailure.REFUSED and flow.reset else flow.syn_last
        self._failures.append((order, key, FailedConnect(syn, last, flow.syn_repeats)))

    def settle(self) -> None:
        """A batch is over."""
        self._failures.sort(key=itemgetter(0))
        for _, key, failed in self._failures:
            self._note(key, failed)
        self._failures.clear()

    def _note(self, key: _Failure, failed: FailedConnect) -> None:
        known = self._again.pop(key, None) or self._once.pop(key, None)
        if known is None:
            self._count += 1
            known = self._once[key] = self._count, FailedConnects(*key)
            if len(self._once) + len(self._again) > MAX_FAILED_CONNECTS:
                oldest = self._once if len(self._once) > MAX_FAILED_CONNECTS // _ONCE else self._again
                del oldest[next(iter(oldest))]
        else:
            self._again[key] = known
        known[1].asked_for_it = known[1].asked_for_it or bool(failed.told)
        known[1].tally.add(failed, failed.syn.ts_ns)

    def summarise(self, summary: CaptureSummary, servers: Mapping[Endpoint, Server]) -> None:
        """The capture is over. `servers` speak Engine.IO."""
        groups = [group for _, group in sorted([*self._once.values(), *self._again.values()], key=itemgetter(0))]
        for group in groups:
            server = servers.get(group.server)
            group.speaks_engineio = server is not None
            if server is not None and len(server.fleet.failed) < MAX_FAILED:
                server.fleet.failed.append(group)
            last = group.tally.last
            reached = self._reached.get((group.client, group.server), self._forgotten)  # in doubt it recovered
            group.recovered = last is not None and reached.ts_ns > last.syn.ts_ns
        summary.failed_connects = groups
