"""`eiosniff live`: the diagnosis of what goes over an interface now."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from eiosniff.cli import choice, exits, faces, options
from eiosniff.cli.analyze import show
from eiosniff.cli.interfaces import list_interfaces
from eiosniff.cli.output import Output
from eiosniff.cli.quantities import DURATION, SIZE, WAIT
from eiosniff.errors import EiosniffError

if TYPE_CHECKING:
    from eiosniff.capture.live.opener import Opener
    from eiosniff.capture.writer import Rotation
    from eiosniff.live.face import Face
    from eiosniff.model.finding import Report
    from eiosniff.rules.api import Rule


@click.command(
    epilog="""\b
Examples:
  eiosniff live                           which interfaces are there?
  sudo eiosniff live eth0                 what is wrong, while the device fails
  sudo eiosniff live eth0 --port 3000     only that traffic is captured
  ssh pi tcpdump -i eth0 -U -w - tcp | eiosniff live -
  sudo eiosniff live eth0 --write seen.pcapng --rotate-size 100MB --keep 10
  sudo eiosniff live eth0 --until client-ping-in-eio4 --duration 10m
  sudo eiosniff live eth0 --format jsonl | jq .event

\b
Ctrl-C ends the capture and prints the report (exit code 130); a second one
leaves at once. `eiosniff doctor` says whether it can capture here. Where sudo
does not find eiosniff: sudo "$(which eiosniff)" live eth0
"""
)
@click.argument("interface", required=False)
@click.option(
    "--backend", type=click.Choice(["auto", "scapy", "dumpcap", "tcpdump"]), default="auto", show_default=True,
    help="How packets are captured: by a socket of eiosniff itself (scapy), where it may open one, or one of these "
    "programs. Example: --backend dumpcap",
)  # fmt: skip
@click.option(
    "--filter", "expression", metavar="BPF", default="",
    help="Capture only what this filter of pcap-filter(7) lets through. Example: --filter 'tcp and net 10.0.0.0/24'",
)  # fmt: skip
@click.option("--host", "hosts", metavar="HOST", multiple=True,
    help="Capture only packets from or to this name or address; may be repeated. Example: --host 10.0.0.7",
)  # fmt: skip
@options.places
@options.keylog
@click.option(
    "-w", "--write", metavar="FILE",
    help="Keep the packets in this pcapng file. Example: --write seen.pcapng",
)  # fmt: skip
@click.option(
    "--rotate-size", metavar="SIZE", type=SIZE,
    help="Go on in a new file when one has this size. Example: --rotate-size 100MB",
)  # fmt: skip
@click.option(
    "--rotate-time", metavar="TIME", type=DURATION,
    help="Go on in a new file after this time. Example: --rotate-time 1h",
)  # fmt: skip
@click.option(
    "--keep", metavar="N", type=click.IntRange(min=1),
    help="Of the files that are rotated, keep the last N. Example: --keep 24",
)  # fmt: skip
@click.option("--duration", metavar="TIME", type=DURATION, help="Stop after this time. Example: --duration 10m")
@click.option("--count", metavar="N", type=click.IntRange(min=1), help="Stop after N packets. Example: --count 100000")
@options.rule_list("--until", "Stop when one of these rules has found something. Example: --until EIO038,connect-loop")
@click.option(
    "--settle", metavar="TIME", type=WAIT, default="2s", show_default=True,
    help="With --until: go on for this time, to see what follows from it. Example: --settle 30s",
)  # fmt: skip
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["screen", "text", "jsonl"]),
    help="screen is for a terminal, and what it gets; text is a line an event, jsonl an object an event, and what "
    "everything else gets. Example: --format jsonl",
)  # fmt: skip
@options.stream_output
@options.judging
@click.option(
    "--max-sessions", metavar="N", type=click.IntRange(min=1), default=500, show_default=True,
    help="Keep no more sessions that are over than this, the faulty ones first; the others are counted. "
    "Example: --max-sessions 5000",
)  # fmt: skip
@options.no_redact
@options.no_color
def live(
    interface: str | None,
    *,
    backend: str,
    expression: str,
    hosts: tuple[str, ...],
    ports: tuple[int, ...],
    path: str | None,
    keylog: tuple[str, ...],
    write: str | None,
    rotate_size: int | None,
    rotate_time: int | None,
    keep: int | None,
    duration: int | None,
    count: int | None,
    until: tuple[str, ...],
    settle: int,
    output_format: str | None,
    output: str | None,
    fail_on: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    rule_files: tuple[str, ...],
    config: str | None,
    no_config: bool,
    max_sessions: int,
    no_redact: bool,
    no_color: bool,
) -> None:
    """Find out what is wrong while it happens.

    INTERFACE is the one to capture on, such as eth0, or any; - is a capture that comes through standard input, and the
    path of a named pipe one that comes through it. Without it, the interfaces are listed.
    """
    if interface is None:
        list_interfaces(no_color=no_color)
        return
    from eiosniff import app
    from eiosniff.capture.secrets import KeySource
    from eiosniff.capture.writer import PcapngWriter, check_target
    from eiosniff.live.loop import Limits, Loop
    from eiosniff.live.signals import Signals, unwinding
    from eiosniff.live.start import Wanted, opened
    from eiosniff.report.redact import Redactor

    rotation = _rotation(write, rotate_size, rotate_time, keep)
    if write is not None:
        check_target(write, rotation, interface)
        if output is not None and Path(output).resolve() == Path(write).resolve():
            raise click.UsageError("--write and --output name the same file; packets need one of their own")
    if interface == "-" and sys.stderr.isatty():
        click.echo("eiosniff: waiting for a capture on standard input", err=True)
    with ExitStack() as stack:
        stack.enter_context(unwinding())
        capture = stack.enter_context(opened(Wanted(interface, backend, expression, ports, hosts)))
        # From here on without the rights of root: the rules of others, for example, are code that runs.
        setting = choice.chosen(
            select=select, ignore=ignore, rule_files=rule_files, config=config, no_config=no_config, fail_on=fail_on,
            ports=ports, path=path, max_sessions=max_sessions, kept_sessions=max_sessions, keylog=keylog,
        )  # fmt: skip
        rules = app.rules(rule_files)
        chosen_rules = app.chosen_rules(setting.options)
        awaited = _awaited(options.named_rules("--until", until, rules), chosen_rules)
        writer = None
        if write is not None:
            kept = PcapngWriter(write, capture.source.name, expression=capture.expression, rotation=rotation)
            writer = stack.enter_context(kept)
        redactor = Redactor(enabled=not no_redact)
        show_report = partial(
            show, output_format="text", no_redact=no_redact, selected_rules=setting.selected_rules,
            configuration=setting.configuration, rule_files=rule_files, again=False,
        )  # fmt: skip
        face = stack.enter_context(faces.chosen(output_format, output, rules, redactor, show_report, no_color=no_color))
        signals = stack.enter_context(Signals(partial(_leave_at_once, face, capture.opener)))
        loop = Loop(
            capture.source,
            face,
            setting.options,
            chosen_rules,
            limits=Limits(duration, count, awaited, settle),
            writer=writer,
            write_report=partial(_write_report, show_report),
            keys=stack.enter_context(KeySource(setting.options.keylog, grows=True)),
        )
        report = loop.run(signals)
    click.get_current_context().exit(exits.of_report(report, setting.fail_on))


def _awaited(awaited: frozenset[str], rules: "Sequence[Rule]") -> frozenset[str]:
    """The rules of --until, each of which can find something."""
    missing = sorted(awaited - {rule.code for rule in rules})
    if missing:
        raise click.UsageError(
            f"--until waits for {missing[0]}, which is left out by --select, --ignore or the configuration"
        )
    return awaited


def _leave_at_once(face: "Face", opener: "Opener") -> NoReturn:
    """The second Ctrl-C: nobody wants to wait."""
    face.close()
    opener.leave()
    os._exit(exits.INTERRUPTED)


def _rotation(write: str | None, size: int | None, time_ns: int | None, keep: int | None) -> "Rotation | None":
    from eiosniff.capture.writer import Rotation

    given = {"--rotate-size": size, "--rotate-time": time_ns, "--keep": keep}
    option = next((name for name, value in given.items() if value is not None), None)
    if option is None:
        return None
    if write is None:
        raise click.UsageError(f"{option} is about the files of --write, which is missing")
    if size is None and time_ns is None:
        raise click.UsageError("--keep wants --rotate-size or --rotate-time: without them there is one file")
    return Rotation(size, time_ns, keep)


def _write_report(show_report: "Callable[[Report, Output], None]", report: "Report") -> str:
    """Write a report into the current folder; says where it is, or why it is not."""
    name = f"eiosniff-{datetime.now():%Y%m%d-%H%M%S}.txt"
    try:
        with Output(name) as place:
            show_report(report, place)
    except EiosniffError as error:
        return str(error)
    return f"report written to {Path(name).resolve()}"
