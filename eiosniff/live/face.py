"""What a running capture shows itself on: a screen, or a stream of events."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum

from eiosniff.model.finding import Report
from eiosniff.model.live import LiveEvent, LiveView


class Wish(Enum):
    """What the user asks for by a key, beyond what the face does by itself."""

    STOP = "stop"
    WRITE_REPORT = "write a report now"


class Face(ABC):
    """Shows what happens. Every method may raise `BrokenPipeError` when nobody reads any more."""

    # Whether it shows `LiveView`s: making one costs something.
    shows_views = False

    def fileno(self) -> int:
        """A descriptor that is readable when the user has typed; -1 if nobody can."""
        return -1

    def typed(self) -> Sequence[Wish]:
        """Take what the user has typed."""
        return ()

    @abstractmethod
    def tell(self, events: Sequence[LiveEvent]) -> None:
        """What has happened, in order."""

    def show(self, view: LiveView) -> None:  # noqa: B027  (a stream of events has nothing to show)
        """The picture as it is now; called some times a second, and when the terminal has another size."""

    def say(self, text: str) -> None:  # noqa: B027
        """A word to the user, such as where a report was written."""

    @abstractmethod
    def report(self, report: Report, now_ns: int) -> None:
        """The whole report, at the end; `now_ns` is the instant of the capture."""

    def close(self) -> None:  # noqa: B027
        """Give the terminal back as it was. Does nothing the second time."""
