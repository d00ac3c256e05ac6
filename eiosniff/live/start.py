"""Opens a source with the rights that it takes, and gives these up."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from eiosniff.capture.live import filters
from eiosniff.capture.live.choose import is_pipe, open_live
from eiosniff.capture.live.devices import has_tags
from eiosniff.capture.live.keeper import opener_of_least_rights
from eiosniff.capture.live.opener import Opener
from eiosniff.capture.live.source import LiveSource


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be captured: on which interface (or through which pipe), how, and only packets of a filter, of these
    TCP ports, and of these hosts (names or addresses)."""

    interface: str
    backend: str = "auto"
    expression: str = ""
    ports: Sequence[int] = ()
    hosts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that captures, what opened it, and the filter of all that is wanted (empty: none)."""

    source: LiveSource
    opener: Opener
    expression: str


@contextmanager
def opened(wanted: Wanted) -> Iterator[Opened]:
    """What is wanted, opened. Inside, this process has no rights but those of who called it.

    Raises `EiosniffError` where it cannot be opened.
    """
    if is_pipe(wanted.interface):  # decoders look at the ports
        expression = filters.build(wanted.expression, (), wanted.hosts)
    else:
        tagged = has_tags(wanted.interface)
        if tagged and wanted.expression:  # of other kinds of link layers the backend knows
            filters.check(wanted.expression)
        expression = filters.build(wanted.expression, wanted.ports, wanted.hosts, tagged=tagged)
    with (
        closing(opener_of_least_rights()) as opener,
        open_live(wanted.interface, backend=wanted.backend, expression=expression, opener=opener) as source,
    ):
        opener.give_up_rights()
        yield Opened(source, opener, expression)
