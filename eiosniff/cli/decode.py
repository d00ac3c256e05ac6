"""`eiosniff decode`: a line an Engine.IO or Socket.IO packet, over all transports, in order."""

import difflib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from eiosniff.cli import options
from eiosniff.cli.attachments import Attachments, directory_problem
from eiosniff.cli.exits import NO_MATCH
from eiosniff.cli.output import Output
from eiosniff.cli.progress import progress

if TYPE_CHECKING:
    from eiosniff.model.decoded import DecodedPacket
    from eiosniff.report.redact import Redactor
    from eiosniff.report.selection import Filters, Selection

_MEGABYTE = 1_000_000


def _check_types(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The types in the protocols' own spelling, which upper and lower case tell apart."""
    if not values:
        return values
    from eiosniff.report.selection import TYPE_NAMES

    known = {name.lower(): name for name in TYPE_NAMES} | {"error": "CONNECT_ERROR"}  # its name up to revision 4
    types = []
    for value in values:
        wanted = value.lower().replace("-", "_")
        if wanted not in known:
            close = difflib.get_close_matches(wanted, known, n=1)
            rest = f"did you mean {known[close[0]]}?" if close else f"there are {', '.join(TYPE_NAMES)}"
            raise click.BadParameter(f"there is no packet type {value!r}; {rest}", context, parameter)
        types.append(known[wanted])
    return tuple(types)


def _check_directory(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    problem = "" if value is None else directory_problem(value)
    if problem:
        raise click.BadParameter(problem, context, parameter)
    return value


@click.command(
    epilog="""A line of text holds the number of the captured packet, the seconds since the capture
began, the TCP stream, who sent it, the session, the transport, then what it is: a Socket.IO packet by its type in upper
case with namespace, #id, event and data, or an Engine.IO packet in lower case. !! comes before the reason why a packet
could not be decoded.

Filters narrow each other down; of an option that is repeated, one value has to fit. If nothing fits, the exit code is 1
and standard error says what there is.

\b
Examples:
  eiosniff decode capture.pcapng
  eiosniff decode --session s3 --no-heartbeat capture.pcapng
  eiosniff decode --event 'user:*' --from client capture.pcapng
  tcpdump -w - port 3000 | eiosniff decode --type CONNECT_ERROR -
  eiosniff decode --attachments images --event upload capture.pcapng

\b
With jq: the data of an event; how often each event came; what is not Socket.IO:
  eiosniff decode -f jsonl --event chat cap.pcap | jq .socketio.data
  eiosniff decode -f jsonl cap.pcap | jq -r '.socketio.event // empty' | sort | uniq -c
  eiosniff decode -f jsonl cap.pcap | jq -c 'select(.socketio == null)'
"""
)
@options.captures
@options.joining
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "jsonl"]), default="text", show_default=True,
    help="text for people (cut to the width of a terminal, whole when piped), jsonl for programs: one JSON object a "
    "line. Example: --format jsonl",
)  # fmt: skip
@click.option(
    "--session", "sessions", metavar="SID", multiple=True, callback=options.not_empty,
    help="Only this session: the sid as on the wire, its first 4 characters or more, or its id in the report; "
    "may be repeated. Example: --session s3",
)  # fmt: skip
@click.option(
    "--from", "sender", type=click.Choice(["client", "server"]),
    help="Only what the client or the server sent. Example: --from client",
)  # fmt: skip
@click.option(
    "--event", "events", metavar="NAME", multiple=True, callback=options.not_empty,
    help="Only events of this name, with or without attachments, and the ACKs that answer them; * ? [a-z] are "
    "wildcards; may be repeated. Example: --event 'user:*'",
)  # fmt: skip
@click.option(
    "--namespace", "namespaces", metavar="NAME", multiple=True, callback=options.not_empty,
    help="Only Socket.IO packets of this namespace, / being the default one; wildcards as in --event; may be repeated. "
    "Example: --namespace /admin",
)  # fmt: skip
@click.option(
    "--type", "types", metavar="TYPE", multiple=True, callback=_check_types,
    help="Only packets of this type, of Engine.IO (open, close, message, ...) or Socket.IO (CONNECT, BINARY_EVENT, "
    "...); may be repeated. Example: --type CONNECT_ERROR",
)  # fmt: skip
@click.option(
    "--no-heartbeat", is_flag=True, help="No pings and pongs, but for those that probe a WebSocket before an upgrade."
)
@click.option(
    "--attachments", "directory", metavar="DIR", callback=_check_directory,
    help="Write what is binary in the packets that are shown to files in DIR, which must be empty or not exist: "
    "<captured packet>-<session>-<n>.bin, as sent, secrets included. Example: --attachments out",
)  # fmt: skip
@click.option(
    "--attachments-limit", "megabytes", metavar="MB", type=click.IntRange(min=1), default=1000, show_default=True,
    help="Stop when the attachments take more than this on the disk. Example: --attachments-limit 5000",
)  # fmt: skip
@options.output
@options.places
@options.keylog
@options.no_redact
@options.no_color
def decode(
    captures: Sequence[str],
    joined: str | None,
    output_format: str,
    sessions: tuple[str, ...],
    sender: str | None,
    events: tuple[str, ...],
    namespaces: tuple[str, ...],
    types: tuple[str, ...],
    no_heartbeat: bool,
    directory: str | None,
    megabytes: int,
    output: str | None,
    ports: tuple[int, ...],
    path: str | None,
    keylog: tuple[str, ...],
    no_redact: bool,
    no_color: bool,
) -> None:
    """List Engine.IO and Socket.IO packets, one a line, over all transports in the order of the capture.

    CAPTURE is a pcap or pcapng file, or a HAR, plain or compressed (gzip, zstd); - is standard input. Packet numbers
    and streams are those of Wireshark; of a HAR they are numbers of entries, 12.5 being message 5 of entry 12.
    """
    from eiosniff import app
    from eiosniff.model.provenance import Side
    from eiosniff.report.redact import Redactor
    from eiosniff.report.selection import Filters

    redactor = Redactor(enabled=not no_redact)
    chosen = app.Options(ports=frozenset(ports), path=path, keylog=keylog, joined=options.is_joined(joined))
    side = None if sender is None else Side[sender.upper()]
    selection = _selection(Filters(sessions, namespaces, events, types, side, not no_heartbeat))
    several = len(captures) > 1
    place = Output(output, no_color=no_color, encoding="utf-8" if output_format == "jsonl" else None)
    complete = False
    # On a terminal the lines themselves show the progress, and a bar would stand in their way.
    with place, progress(wanted=not place.is_terminal) as watch:
        attachments = directory and Attachments(directory, captures=len(captures), limit=megabytes * _MEGABYTE)
        packets = _written(app.decode(captures, chosen, watch, _warn, selection), attachments or None)
        if output_format == "jsonl":
            lines = _json_lines(packets, redactor, directory or "", several=several)
        else:
            lines = _text_lines(packets, redactor, place, several=several)
        for line in lines:
            place.write(line)
            if place.is_terminal:
                place.flush()
        complete = True
    if selection is not None and complete:  # else the reader went away
        for remark in selection.remarks(redactor):
            _warn(remark)
        if not selection.taken:
            click.get_current_context().exit(NO_MATCH)


def _selection(filters: "Filters") -> "Selection | None":
    """What applies the filters, None when everything is to be shown."""
    from eiosniff.report.selection import Filters, Selection

    return None if filters == Filters() else Selection(filters)


def _warn(problem: str) -> None:
    """Say what is wrong with a capture or a filter, beside the packets that are shown."""
    from eiosniff.report.sanitise import printable

    click.echo(f"eiosniff: {printable(problem)}", err=True)


_Written = tuple["DecodedPacket", Sequence[str]]


def _written(packets: "Iterator[DecodedPacket]", attachments: Attachments | None) -> Iterator[_Written]:
    """The packets, each with the names of the files that its attachments were written to."""
    for packet in packets:
        yield packet, attachments.write(packet) if attachments else ()


def _json_lines(packets: Iterator[_Written], redactor: "Redactor", directory: str, *, several: bool) -> Iterator[str]:
    from eiosniff.report.decode_lines import json_line

    for packet, files in packets:
        paths = [os.path.join(directory, file) for file in files]  # noqa: PTH118 - as the user named it, `./` and all
        yield json_line(packet, redactor, name_capture=several, files=paths) + "\n"


def _text_lines(packets: Iterator[_Written], redactor: "Redactor", place: Output, *, several: bool) -> Iterator[str]:
    from eiosniff.report.decode_lines import TextLines, style_of
    from eiosniff.report.layout import fit, paint

    text = TextLines(redactor)
    capture = None
    width = place.width
    for packet, files in packets:
        file = packet.placed(packet.completed.number).file
        if several and file != capture:
            capture = file
            yield f"{redactor.shown(capture)}\n"
        line = text.line(packet, files)
        if place.is_terminal:
            line = fit(line, width)
        yield (paint(line, style_of(packet)) if place.color else line) + "\n"
