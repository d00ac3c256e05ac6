"""Reads one capture: a file, or the files of a rotation one after the other."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Self

from eiosniff.capture.figures import Figures
from eiosniff.capture.rotation import OVERLAP_NS, Part, Run
from eiosniff.capture.source import STDIN, CaptureProblem, CaptureSource, open_source
from eiosniff.model.batch import PacketBatch
from eiosniff.model.har import HarEntry
from eiosniff.model.numbering import Parts
from eiosniff.model.trouble import AnomalyKind

_MS = 1_000_000


class Series(Figures):
    """A capture that is being read, file by file; the packets of all files are numbered through.

    It ends with the last file, or with the one after which the next does not go on: `rest` is then what is left of the
    run. All others are as of a `CaptureSource`, for all files so far. `missing` are the times (from, until, ns) of
    files that are not there although their neighbours are. A context manager.
    """

    def __init__(self, run: Run, batch_size: int) -> None:
        """Open the first file. Raises `CaptureError`."""
        super().__init__()
        self.rest: Run | None = None
        self.missing: list[tuple[int, int]] = []
        self.numbering = Parts()
        # One that cannot be read is told of, unless there is no other: then opening it says why.
        at = next((at for at, part in enumerate(run.parts) if not part.trouble), 0)
        self._run = run._replace(parts=run.parts[at:])
        self.batch_size = batch_size
        self._number = 0  # of the last packet
        self._position = 0  # of the files before
        self._formats: dict[str, None] = {}
        self._link_types: list[int] = []
        self._problems: list[CaptureProblem] = []
        self._secrets: list[tuple[int, bytes]] = []
        self._dropped: int | None = None
        for part in run.parts[:at]:
            self._note(part.trouble)
        self._file = self._open(self._run.parts[0])
        self.is_har = self._file.is_har

    @property
    def name(self) -> str:
        """What it is called: its file, or the first and the last of them."""
        files = self.numbering.files
        if len(files) == 1:
            return files[0]
        return f"{files[0]} … {PurePath(files[-1]).name} ({len(files)} files)"

    def entries(self, wanted: Callable[[HarEntry], bool]) -> Iterator[HarEntry]:
        """As of a `CaptureSource`."""
        for entry in self._file.entries(wanted):
            self._take_over(0, 0, 0)
            yield entry
        self._take_over(0, 0, 0)

    @property
    def file(self) -> str:
        """The file at hand."""
        return self._file.name

    @property
    def format(self) -> str:
        """As of a `CaptureSource`; each that files have."""
        return ", ".join(dict.fromkeys([*self._formats, self._file.format]))

    @property
    def size(self) -> int | None:
        """The length of all files, in bytes, as they are stored."""
        if len(self._run.parts) == 1:
            return self._file.size
        size = 0
        for part in self._run.parts:
            with contextlib.suppress(OSError):
                size += Path(part.path).stat().st_size
        return size

    @property
    def position(self) -> int:
        """Bytes of the files that are read."""
        return self._position + self._file.position

    @property
    def link_types(self) -> list[int]:
        """As of a `CaptureSource`."""
        return list(dict.fromkeys([*self._link_types, *self._file.link_types]))

    @property
    def problems(self) -> list[CaptureProblem]:
        """What ended the reading of files too early, and what is odd about their sequence."""
        return [*self._problems, *self._problems_of_file()]

    @property
    def secrets(self) -> list[tuple[int, bytes]]:
        """As of a `CaptureSource`."""
        return [*self._secrets, *self._file.secrets]

    @property
    def dropped(self) -> int | None:
        """As of a `CaptureSource`."""
        of_file = self._file.dropped
        return self._dropped if of_file is None else (self._dropped or 0) + of_file

    @property
    def again(self) -> Run | None:
        """What to read for the same packets once more, when all were read; None if they are there but once."""
        parts = self._run.parts[: len(self._run.parts) - len(self.rest.parts if self.rest is not None else ())]
        once = any(part.path == STDIN or not Path(part.path).is_file() for part in parts)
        return None if once else self._run._replace(parts=parts)

    def batches(self) -> Iterator[PacketBatch]:
        """All packets, in the order of the files, once."""
        parts = self._run.parts
        for at, part in enumerate(parts):
            if at:
                if not self._goes_on(part):
                    self.rest = self._run._replace(parts=parts[at:])
                    return
                self._note_missing(parts[at - 1], part)
                if part.trouble:
                    self._note(part.trouble)
                    continue
                if parts[at - 1].trouble:
                    self._miss_until(part)
                self._next(part)
            before = self._number
            figures = self.packets, self.captured_bytes, self.wire_bytes
            for batch in self._file.batches():
                numbered = replace(batch, number=batch.number + before) if before else batch
                self._number = int(numbered.number[-1])
                self._take_over(*figures)
                yield numbered

    def _take_over(self, packets: int, captured_bytes: int, wire_bytes: int) -> None:
        """Take over what the file at hand counts; so much there was in those before."""
        file = self._file
        self.packets = packets + file.packets
        self.captured_bytes = captured_bytes + file.captured_bytes
        self.wire_bytes = wire_bytes + file.wire_bytes
        if file.first_ns is not None and file.last_ns is not None:
            self.first_ns = file.first_ns if self.first_ns is None else min(self.first_ns, file.first_ns)
            self.last_ns = file.last_ns if self.last_ns is None else max(self.last_ns, file.last_ns)

    def close(self) -> None:
        """Stop reading, and close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _open(self, part: Part) -> CaptureSource:
        file = open_source(part.path, batch_size=self.batch_size)
        self.numbering.add("standard input" if part.path == STDIN else part.path, self._number)
        return file

    def _goes_on(self, part: Part) -> bool:
        """Whether a file begins where the ones before end."""
        pause_ns = self._run.pause_ns
        if pause_ns is None or part.first_ns is None or self.last_ns is None:
            return True
        return -OVERLAP_NS <= part.first_ns - self.last_ns <= pause_ns

    def _next(self, part: Part) -> None:
        """Go on with the next file."""
        last_ns, link_types = self.last_ns, self.link_types
        self._leave()
        if last_ns is not None and part.first_ns is not None and part.first_ns < last_ns - OVERLAP_NS:
            overlap = (last_ns - part.first_ns) / 1_000_000_000
            self._note(f"{_named(part)} begins {overlap:,.1f} s before the end of the files before it; its packets are "
                       "taken after theirs (mergecap puts packets in order of time)")  # fmt: skip
        self._file = self._open(part)
        if link_types and not set(self._file.link_types) <= set(link_types):
            self._note(f"{_named(part)} was captured on another kind of interface than the files before it")

    def _leave(self) -> None:
        file = self._file
        self._position += file.position
        self._formats[file.format] = None
        self._problems.extend(self._problems_of_file())
        self._secrets.extend(file.secrets)
        self._link_types = self.link_types
        self._dropped = self.dropped
        file.close()

    def _problems_of_file(self) -> list[CaptureProblem]:
        """Those of the file at hand, by the numbers of all packets."""
        before = self.numbering.before
        if not before:
            return self._file.problems
        name = PurePath(self._file.name).name  # which a packet would tell
        return [
            CaptureProblem(each.kind, each.packet + before, each.text)
            if each.packet
            else CaptureProblem(each.kind, 0, f"{each.text} ({name})")
            for each in self._file.problems
        ]

    def _note_missing(self, before: Part, part: Part) -> None:
        counter = self._run.counter
        if counter is None or not part.order:
            return
        count = part.order[counter] - before.order[counter] - 1
        if count <= 0:
            return
        files = "a file is" if count == 1 else f"{count:,} files are"
        self._note(f"{files} missing between {_named(before)} and {_named(part)}")
        self._miss_until(part)

    def _miss_until(self, part: Part) -> None:
        """What there was between the files so far and this one is not there."""
        if self.last_ns is not None:
            until_ns = self.last_ns if part.first_ns is None else part.first_ns
            self.missing.append((self.last_ns, max(until_ns, self.last_ns)))

    def _note(self, text: str) -> None:
        self._problems.append(CaptureProblem(AnomalyKind.CAPTURE_PARTS, 0, text))


def _named(part: Part) -> str:
    return PurePath(part.path).name
