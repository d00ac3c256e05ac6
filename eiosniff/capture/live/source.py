"""What every source of packets that are captured now has in common: it is asked for what has come, and never waits."""

from abc import ABC, abstractmethod
from enum import Enum
from types import TracebackType
from typing import Self

from eiosniff.capture import links
from eiosniff.capture.figures import Figures
from eiosniff.capture.window import CaptureProblem
from eiosniff.model.batch import PacketBatch


class State(Enum):
    """Whether packets can come."""

    RUNNING = "running"
    WAITING = "waiting"  # the interface is down, or the capturing program ended: it is tried again
    ENDED = "ended"  # nothing comes any more


class LiveSource(Figures, ABC):
    """Packets as they come. Its owner waits until `fileno` is readable, and then takes what there is.

    `name` is the interface, or says which pipe it is; `backend` how packets come (`dumpcap`, `tcpdump`, `scapy`,
    `pipe`); `format` and `link_types` as those of `CaptureSource`. The figures grow with every batch: whoever
    implements `take` counts each. `state` is as of the last `take` or `poll`, and `note` says in words why it is not
    RUNNING; empty where there is nothing to say. `problems` are those of the input, as it ended. All that was captured
    can be taken after `late_ns`, if all is well. It has room for what comes within `gather_ns`, so that its owner may
    let packets gather for so long between two `take`s: decoding many at once takes less time. `counts_at_end`:
    `dropped` grows only when a capture, or a run of the capturing program, ends.
    """

    gather_ns = 0

    name: str
    backend: str
    format: str

    def __init__(self, name: str, backend: str, format_name: str, late_ns: int = 0) -> None:
        super().__init__()
        self.name = name
        self.backend = backend
        self.format = format_name
        self.late_ns = late_ns
        self.state = State.RUNNING
        self.note = ""
        self.counts_at_end = False
        self.problems: list[CaptureProblem] = []

    @property
    @abstractmethod
    def link_types(self) -> list[int]:
        """The link types of all interfaces so far, each once, in order of appearance."""

    @property
    @abstractmethod
    def dropped(self) -> int | None:
        """How many packets the kernel, the interface or the capturing program dropped up to now; None where nothing
        says (or not before the end, as with dumpcap)."""

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that is readable when there is something to `take`; -1 while there is none to wait for. It may
        be another one after each `take` and `poll`."""

    @abstractmethod
    def take(self) -> list[PacketBatch]:
        """What has come since, without waiting for more; empty where nothing has, and after the end.

        Packets are numbered from 1 on over the whole life of the source. Bad input and a capture that breaks off raise
        nothing: see `state`, `note` and `problems`. Packets of Wi-Fi and the like are as they were captured; see
        `decodable`.
        """

    @abstractmethod
    def poll(self) -> None:
        """What must be done now and then, at least once a second: read counters, try a lost interface again."""

    @abstractmethod
    def close(self) -> None:
        """Capture no more, and read the last counters. Does nothing the second time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decodable(batch: PacketBatch) -> PacketBatch:
    """A batch as decoders take it: packets of Wi-Fi, PPP and NFLOG as IP packets."""
    return links.plain(batch)
