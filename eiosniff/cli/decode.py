"""`eiosniff decode`: a line an Engine.IO or Socket.IO packet, over all transports, in order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from eiosniff.cli import options
from eiosniff.cli.output import Output
from eiosniff.cli.progress import progress

if TYPE_CHECKING:
    from eiosniff.model.decoded import DecodedPacket
    from eiosniff.report.redact import Redactor


@click.command(
    epilog="""\b
Examples:
  eiosniff decode capture.pcapng
  eiosniff decode --format jsonl capture.pcapng | jq 'select(.socketio.event == "chat")'
"""
)
@options.captures
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "jsonl"]), default="text", show_default=True,
    help="text for people (cut to the width of a terminal, whole when piped), jsonl for programs: one JSON object a "
    "line. Example: --format jsonl",
)  # fmt: skip
@options.output
@options.places
@options.no_redact
@options.no_color
def decode(
    captures: tuple[str, ...],
    output_format: str,
    output: str | None,
    ports: tuple[int, ...],
    path: str | None,
    no_redact: bool,
    no_color: bool,
) -> None:
    """List every Engine.IO and Socket.IO packet, one a line.

    CAPTURE is a pcap or pcapng file, plain or compressed (gzip, zstd); - is standard input. Packet numbers and streams
    are those of Wireshark.
    """
    from eiosniff import app
    from eiosniff.report.redact import Redactor

    redactor = Redactor(enabled=not no_redact)
    chosen = app.Options(ports=frozenset(ports), path=path)
    several = len(captures) > 1
    place = Output(output, no_color=no_color, encoding="utf-8" if output_format == "jsonl" else None)
    # On a terminal the lines themselves show the progress, and a bar would stand in their way.
    with place, progress(wanted=not place.is_terminal) as watch:
        packets = app.decode(captures, chosen, watch, _warn)
        if output_format == "jsonl":
            lines = _json_lines(packets, redactor, several=several)
        else:
            lines = _text_lines(packets, redactor, place, several=several)
        for line in lines:
            place.write(line)
            if place.is_terminal:
                place.flush()


def _warn(problem: str) -> None:
    """Say what is wrong with a capture, beside the packets that it yields."""
    from eiosniff.report.sanitise import printable

    click.echo(f"eiosniff: {printable(problem)}", err=True)


def _json_lines(packets: "Iterator[DecodedPacket]", redactor: "Redactor", *, several: bool) -> Iterator[str]:
    from eiosniff.report.decode_lines import json_line

    for packet in packets:
        yield json_line(packet, redactor, name_capture=several) + "\n"


def _text_lines(
    packets: "Iterator[DecodedPacket]", redactor: "Redactor", place: Output, *, several: bool
) -> Iterator[str]:
    from eiosniff.report.decode_lines import TextLines, style_of
    from eiosniff.report.layout import fit, paint

    text = TextLines(redactor)
    capture = None
    width = place.width
    for packet in packets:
        if several and packet.capture != capture:
            capture = packet.capture
            yield f"{redactor.shown(capture)}\n"
        line = text.line(packet)
        if place.is_terminal:
            line = fit(line, width)
        yield (paint(line, style_of(packet)) if place.color else line) + "\n"
