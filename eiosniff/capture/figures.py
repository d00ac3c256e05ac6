"""What every source counts of its packets, whether they are read or captured now."""

from eiosniff.model.batch import PacketBatch


class Figures:
    """How much there was so far.

    `captured_bytes` and `wire_bytes` are the sums of the packets' lengths as captured and as they were on the wire;
    `is_har` says that they are the entries of a HAR; `first_ns` and `last_ns` the earliest and the latest
    instant (ns since 1970).
    """

    def __init__(self) -> None:
        self.is_har = False
        self.packets = 0
        self.captured_bytes = 0
        self.wire_bytes = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def count(self, batch: PacketBatch) -> None:
        """Add a batch, which is not empty."""
        first, last = int(batch.ts_ns.min()), int(batch.ts_ns.max())
        self.first_ns = first if self.first_ns is None else min(first, self.first_ns)
        self.last_ns = last if self.last_ns is None else max(last, self.last_ns)
        self.packets += len(batch)
        self.captured_bytes += int(batch.captured.sum())
        self.wire_bytes += int(batch.wire.sum())
