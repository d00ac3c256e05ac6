"""From captures to their packets, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from eiosniff.app.reading import read, sources
from eiosniff.app.setting import Options, Progress
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.summary import CaptureSummary

if TYPE_CHECKING:
    from eiosniff.app.passes import Passes
    from eiosniff.decode.stack import Stack
    from eiosniff.report.selection import Selection

Warn = Callable[[str], None]


def decode(
    captures: Sequence[str],
    options: Options,
    progress: Progress | None = None,
    warn: Warn | None = None,
    selection: "Selection | None" = None,
) -> Iterator[DecodedPacket]:
    """Every Engine.IO packet of the captures, in order; only what `selection` takes, if there is one.

    Sessions are numbered over all captures, as in the report. `warn` is told what is wrong with a capture that could
    be read in part, and of one without any packet. Raises `EiosniffError` for unusable input.
    """
    from eiosniff.app.passes import Passes

    sessions = 0
    with closing(sources(captures, options)) as opened:
        for source in opened:
            with Passes(source, options) as passes:
                again = _look_ahead(passes, options)
                decoded: list[DecodedPacket] = []
                stack = _stack(passes, options, decoded.append)
                empty = True
                for _ in read(stack, passes.source, passes.keys, progress):
                    stack.retired()  # nobody asks what becomes of them
                    empty = empty and not decoded
                    for packet in decoded:
                        packet.capture = stack.summary.file
                        packet.numbering = stack.summary.numbering
                        packet.capture_began_ns = stack.summary.first_ns or 0
                        if packet.session is not None:
                            packet.session += sessions
                        if selection is None or selection.takes(packet):
                            yield packet
                    decoded.clear()
                    passes.collect()
                if again:
                    source.rest = passes.source.rest
                elif source.again is None:
                    passes.again()  # which it cannot, and says so
                passes.note_problems(stack.summary)
            sessions += stack.sessions.total
            if warn is not None:
                _warn(warn, stack, options, empty=empty)


def _look_ahead(passes: "Passes", options: Options) -> bool:
    """What is streamed cannot be taken back: so with keys, whether tshark has to decrypt something is asked first.
    Whether it does."""
    again = passes.source.again
    if again is None:
        return False
    if passes.has_secrets():
        from eiosniff.capture.series import Series

        stack = _stack(passes, options, None)
        with Series(again, options.batch_size) as ahead:
            for _ in read(stack, ahead, passes.keys, None):
                stack.retired()
                passes.collect()
        if passes.again():
            return True
    passes.outside = None
    return False


def _stack(passes: "Passes", options: Options, listener: Callable[[DecodedPacket], None] | None) -> "Stack":
    from eiosniff.decode.stack import Stack

    return Stack(
        CaptureSummary(passes.source.name),
        listener,
        ports=options.ports,
        path=options.path,
        secrets=passes.keys.secrets,
        outside=passes.outside,
    )


def _warn(warn: Warn, stack: "Stack", options: Options, *, empty: bool) -> None:
    file = stack.summary.file
    for problem in stack.summary.problems:
        warn(f"{file}: {problem.text}")
    for crash in stack.crashes:
        warn(f"{file}: a part of eiosniff failed, packets are missing; please report it: {crash}")
    if empty:
        chosen = " of the chosen ports and path" if options.ports or options.path else ""
        warn(f"{file}: no Engine.IO packet{chosen} was found; `eiosniff analyze` may say why")
