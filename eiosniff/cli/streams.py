"""The faces of `eiosniff live` that are streams of events: for programs, and for people without a whole screen."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import click

from eiosniff.cli.output import Output
from eiosniff.live.face import Face
from eiosniff.model.live import LiveEvent
from eiosniff.report import live_json
from eiosniff.report.live_lines import LiveLines
from eiosniff.report.redact import Redactor

if TYPE_CHECKING:
    from eiosniff.model.finding import Report


class Stream(Output):
    """A place for what goes on for days: a file is there from the first event on, and is added to if it was before.

    When the reader goes away (`| head`), `write` and `flush` raise `BrokenPipeError`, which ends here at the latest.
    """

    def __enter__(self) -> "Stream":
        if self._path is not None:
            try:
                self._file = self._path.open("ab")
            except OSError as error:
                raise self._unwritable(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return super().__exit__(kind, error, trace) or isinstance(error, BrokenPipeError)

    def flush(self) -> None:
        """Hand on what was written, at once."""
        try:
            if self._file is not None:
                self._file.flush()
            else:
                super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._unwritable(error) from None

    def _close(self, *, complete: bool) -> None:
        del complete  # each event is complete
        assert self._file is not None
        try:
            with suppress(BrokenPipeError):
                self._file.close()
        except OSError as error:
            raise self._unwritable(error) from None


class _StreamFace(Face):
    def __init__(self, place: Stream, redactor: Redactor) -> None:
        self._place = place
        self._redactor = redactor

    def say(self, text: str) -> None:
        """See `Face`; on standard error, which is no part of the stream."""
        with suppress(OSError, ValueError):  # that nobody hears it, or that it is closed, ends nothing
            click.echo(f"eiosniff: {self._redactor.shown(text)}", err=True)

    def _write(self, lines: Iterable[str]) -> None:
        self._place.write("".join(f"{line}\n" for line in lines))
        self._place.flush()


class JsonLines(_StreamFace):
    """`--format jsonl`: one JSON object an event, flushed at once."""

    def __init__(self, place: Stream, redactor: Redactor) -> None:
        """`place` has the encoding UTF-8."""
        super().__init__(place, redactor)

    def tell(self, events: Sequence[LiveEvent]) -> None:
        """See `Face`."""
        if events:
            self._write(live_json.render(event, self._redactor) for event in events)

    def report(self, report: "Report", now_ns: int) -> None:
        """The last line."""
        self._write([live_json.render_report(report, now_ns, self._redactor)])


class Lines(_StreamFace):
    """`--format text` where there is no whole screen: a plain line an event, flushed at once."""

    def __init__(self, place: Stream, redactor: Redactor, show_report: "Callable[[Report, Output], None]") -> None:
        super().__init__(place, redactor)
        self._lines = LiveLines(redactor)
        self._show_report = show_report

    def tell(self, events: Sequence[LiveEvent]) -> None:
        """See `Face`."""
        if events:
            self._write(line for event in events for line in self._lines.lines(event))

    def report(self, report: "Report", now_ns: int) -> None:
        """The text report, as `analyze` writes it, after an empty line."""
        del now_ns  # the report has its own
        self._place.write("\n")
        self._show_report(report, self._place)
        self._place.flush()
