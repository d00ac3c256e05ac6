"""A stand-in for the application: what the commands ask it, and what it answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from click.testing import Result

from eiosniff.app import Options, Progress
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Report, RuleInfo, Severity
from eiosniff.report.selection import Selection
from tests.unit.report.builders import report

# Runs a command line.
Run = Callable[..., Result]

RULES = [
    RuleInfo("EIO038", "client-ping-in-eio4", Severity.ERROR, "0.1.0", "The client sends PING", ("connect-loop",),
             (("What it reports", "A ping."), ("How to fix", "Upgrade."))),
    RuleInfo("EIO089", "connect-loop", Severity.ERROR, "0.1.0", "It connects again and again", (), (),
             (("fewest_lives", 3), ("short_life_ms", 30_000))),
]  # fmt: skip


@dataclass
class Application:
    """What `app` answers: a report, packets, or an exception; and what it was asked."""

    report: Report = field(default_factory=report)
    packets: list[DecodedPacket] = field(default_factory=list)
    error: BaseException | None = None
    captures: list[str] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    progress: Progress | None = None

    def analyze(self, captures: Sequence[str], options: Options, progress: Progress | None = None) -> Report:
        self._asked(captures, options, progress)
        if self.error:
            raise self.error
        return self.report

    def decode(
        self,
        captures: Sequence[str],
        options: Options,
        progress: Progress | None = None,
        warn: object = None,
        selection: Selection | None = None,
    ) -> Iterator[DecodedPacket]:
        self._asked(captures, options, progress)
        for packet in self.packets:
            if selection is None or selection.takes(packet):
                yield packet
        if self.error:
            raise self.error

    def _asked(self, captures: Sequence[str], options: Options, progress: Progress | None) -> None:
        self.captures, self.options, self.progress = list(captures), options, progress
