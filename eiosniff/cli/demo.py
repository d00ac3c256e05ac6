"""`eiosniff demo`: the fault that the project began with, from a recording that comes along."""

import importlib.resources

import click

from eiosniff.cli import exits, options
from eiosniff.cli.analyze import show
from eiosniff.cli.output import Output

RECORDING = "s3-arduino-old-eio4-to-v484.pcap"


@click.command()
@options.fail_on("never")
@options.no_color
def demo(fail_on: str, no_color: bool) -> None:
    """Show what a diagnosis looks like.

    Analyses a recording that comes with eiosniff: an Arduino whose Socket.IO connection breaks every 20 seconds.
    """
    from eiosniff import app

    recording = importlib.resources.files("eiosniff") / "demo" / RECORDING
    with importlib.resources.as_file(recording) as path:
        report = app.analyze([str(path)], app.Options())
        with Output(None, no_color=no_color) as place:
            show(report, place, "text")
            place.write(f"\nThat was a recording that comes with eiosniff. To see it in Wireshark:\n  {path}\n")
    click.get_current_context().exit(exits.of_report(report, fail_on))
