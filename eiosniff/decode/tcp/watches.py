"""Waits for TCP acknowledgements: they tell a peer that is frozen, whose kernel acknowledges, from a dead network."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.reassembly import SEQUENCE_MASK
from eiosniff.decode.tcp.segments import ACK, Row, SortedSegments
from eiosniff.model.provenance import PacketRef, Side

_HALF: Final = 1 << 31
# Of one direction; where acknowledgements are not captured, the oldest are given up.
MAX_WAITING: Final = 64


@dataclass(slots=True, eq=False)
class Watch:
    """Waits for the acknowledgement of the bytes of `side` up to a stream offset, and says so once.

    `after` is the captured packet with which those bytes became known: acknowledgements before it do not count.
    """

    side: Side
    offset: int
    after: int
    acknowledged: Callable[[PacketRef], None]


class Watches:
    """All watches of a capture. What they find does not depend on how the input is cut into batches."""

    def __init__(self) -> None:
        self._batch: SortedSegments | None = None
        self._waiting: dict[Flow, tuple[deque[Watch], deque[Watch]]] = {}
        self._rows: dict[Flow, _Rows] = {}  # of the batch at hand, of connections with watches

    def begin(self, batch: SortedSegments) -> None:
        """From now on look among the segments of this batch."""
        self._batch = batch

    def add(self, flow: Flow, watch: Watch) -> None:
        """Wait; of one connection in the order of the capture. Segments of the batch at hand count."""
        queues = self._waiting.get(flow)
        if queues is None:
            queues = self._waiting[flow] = (deque(maxlen=MAX_WAITING), deque(maxlen=MAX_WAITING))
        self._look(flow, watch.after)
        queues[watch.side].append(watch)

    def resolve(self) -> None:
        """Look at the rest of the batch at hand; connections that are over are waited for no longer."""
        for flow, queues in list(self._waiting.items()):
            self._look(flow, None)
            if flow.over or not any(queues):
                del self._waiting[flow]
        self._rows.clear()
        self._batch = None

    def _look(self, flow: Flow, before: int | None) -> None:
        """Look at the segments of a connection up to the captured packet `before`."""
        if self._batch is None:
            return
        rows = self._rows.get(flow)
        if rows is None:
            rows = self._rows[flow] = _Rows(self._batch, flow)
        queues = self._waiting[flow]
        for row in rows.until(before):
            sender = Side(flow.side(1 - row.way))
            direction, queue = flow.directions[1 - row.way], queues[sender]
            while queue and (row.ack - direction.seq_of(queue[0].offset)) & SEQUENCE_MASK < _HALF:
                queue.popleft().acknowledged(PacketRef(row.number, row.ts_ns))


class _Rows:
    """The segments of one connection in a batch that acknowledge, each handed out once."""

    def __init__(self, batch: SortedSegments, flow: Flow) -> None:
        group = batch.find(flow.ends)
        first, last = flow.first.number, flow.last.number  # another connection may have had the endpoints in this batch
        self._rows: list[Row] = []
        if group is not None:
            self._rows = [row for row in batch.rows(group) if row.flags & ACK and first <= row.number <= last]
        self._at = 0

    def until(self, before: int | None) -> Iterator[Row]:
        rows = self._rows
        while self._at < len(rows) and (before is None or rows[self._at].number < before):
            self._at += 1
            yield rows[self._at - 1]
