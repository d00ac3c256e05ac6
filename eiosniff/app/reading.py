"""Reads a capture into its decoders."""

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from eiosniff.app.setting import Options, Progress
from eiosniff.errors import CaptureError
from eiosniff.model.summary import CaptureProblem, CaptureSummary

if TYPE_CHECKING:
    from eiosniff.capture.live.source import LiveSource
    from eiosniff.capture.secrets import KeySource
    from eiosniff.capture.series import Series
    from eiosniff.decode.stack import Stack


def sources(captures: Sequence[str], options: Options) -> Generator["Series", None, None]:
    """The captures, one after the other, each open until the next is asked for. Raises `CaptureError`."""
    from eiosniff.capture.rotation import Run, plan
    from eiosniff.capture.series import Series

    for run in plan(captures, joined=options.joined):
        left: Run | None = run
        while left is not None:
            with Series(left, options.batch_size) as source:
                yield source
            left = source.rest


def keys_of(options: Options) -> "KeySource":
    """The secrets for a capture. Raises `EiosniffError` for a key log that cannot be used."""
    from eiosniff.capture.secrets import KeySource

    with KeySource(options.keylog) as keys:  # a file is read as a whole
        return keys


def read(stack: "Stack", source: "Series", keys: "KeySource", progress: Progress | None) -> Iterator[None]:
    """Feed a capture to its decoders; yields after each batch, and once more when all is settled.

    Raises `CaptureError` for a capture that cannot be read, or none of whose packets can be decoded.
    """
    summary = stack.summary
    if source.is_har:
        yield from _read_entries(stack, source, progress)
    for batch in source.batches():
        _measure(summary, source)
        keys.update(source)
        stack.feed(batch)
        if progress is not None:
            progress(source.position, source.size)
        yield
    check_links(stack)
    _measure(summary, source)
    if not source.is_har:  # whose entries tell
        summary.last_ns = source.last_ns
    stack.close()
    yield


def _measure(summary: CaptureSummary, source: "Series") -> None:
    """The same as `measure`, and which files it is."""
    measure(summary, source)
    summary.file = source.name
    if len(source.numbering.files) > 1:
        summary.numbering = source.numbering
    while source.missing:
        summary.note_drops(*source.missing.pop(0), packets=0)


def _read_entries(stack: "Stack", source: "Series", progress: Progress | None) -> Iterator[None]:
    """The same of a HAR: what happens in it is known when all of it was read."""
    entries = stack.entries()
    for entry in source.entries(entries.is_wanted):
        entries.add(entry)
        if progress is not None:
            progress(source.position, source.size)
    if source.problems:
        entries.end_early()
    for _ in entries.steps(source.batch_size):
        yield


def check_links(stack: "Stack") -> None:
    """Raises `CaptureError` if all packets so far are of link types that cannot be decoded."""
    from eiosniff.decode.packets.links import link_name

    if stack.unknown_links:
        names = ", ".join(link_name(link_type) for link_type in stack.unknown_links)
        raise CaptureError(
            f"{stack.summary.file}: eiosniff cannot decode packets of link type {names}",
            "capture on an interface with Ethernet or IP (tcpdump -y lists what the interface offers)",
        )


def measure(summary: CaptureSummary, source: "Series | LiveSource") -> None:
    """Note what was read up to now: the user may stop the reading after each batch."""
    from eiosniff.decode.packets.links import link_name

    summary.format = source.format
    summary.link_types = [link_name(link_type) for link_type in source.link_types]
    summary.packets = source.packets
    summary.bytes = source.wire_bytes
    summary.dropped = source.dropped
    if not source.is_har:  # whose entries tell
        summary.first_ns = source.first_ns
    summary.problems = [CaptureProblem(problem.kind.value, problem.text, problem.packet) for problem in source.problems]
