"""The counters in session ids, into the ledger of a server: how many processes gave them out, and which began anew.

engine.io makes an id of 15 bytes in URL-safe base 64, the last four of which count the sessions of the process (the
package base64id; recorded: socket.io has a counter of its own for its socket ids); python-engineio does so with the
last three, and takes its socket ids from the same counter. It only grows: one that falls back, or a value that comes
twice, is another process, or the same one after a restart.
"""

from base64 import urlsafe_b64decode
from collections import deque
from typing import Final

from eiosniff.model.peers import Server, SidChain
from eiosniff.model.provenance import PacketRef

_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LENGTH: Final = 20
# Ids without a counter end in random bytes: hardly any of those are below this.
_HIGHEST: Final = 1 << 20
_MAX_CHAINS: Final = 16
_REMEMBERED: Final = 64
# Answers may be captured in another order than that in which their ids were made: by so little, and so soon.
_DISORDER: Final = 16
_DISORDER_NS: Final = 1_000_000_000


def counter_of(sid: str) -> int | None:
    """The counter in a session id (its last three bytes), None where it holds none."""
    if len(sid) != _LENGTH or not _CHARACTERS.issuperset(sid):
        return None
    counter = int.from_bytes(urlsafe_b64decode(sid)[12:], "big")
    return counter if counter < _HIGHEST else None


class SidChains:
    """Sorts the ids of the servers of a capture into chains."""

    def __init__(self) -> None:
        self._seen: dict[SidChain, deque[int]] = {}

    def note(self, server: Server, sid: str, place: PacketRef) -> None:
        """A server gives out an id."""
        counter = counter_of(sid)
        if counter is None:
            return
        chain = self._continued(server, counter, place)
        if chain is None:
            if len(server.sid_chains) < _MAX_CHAINS:
                chain = SidChain(place, place, counter, counter)
                server.sid_chains.append(chain)
                self._seen[chain] = deque([counter], _REMEMBERED)
            return
        chain.last = place
        chain.low, chain.high = min(chain.low, counter), max(chain.high, counter)
        chain.count += 1
        self._seen[chain].append(counter)

    def forget(self, server: Server) -> None:
        """The ledger of a server is let go."""
        for chain in server.sid_chains:
            self._seen.pop(chain, None)

    def _continued(self, server: Server, counter: int, place: PacketRef) -> SidChain | None:
        """The chain that a counter continues: the nearest below it, else one that it was overtaken in."""
        best: SidChain | None = None
        for chain in server.sid_chains:
            if chain.high < counter and (best is None or chain.high > best.high):
                best = chain
        if best is not None:
            return best
        for chain in server.sid_chains:
            late = chain.high - counter <= _DISORDER and place.ts_ns - chain.last.ts_ns <= _DISORDER_NS
            if late and counter not in self._seen[chain]:
                return chain
        return None
