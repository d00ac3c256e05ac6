"""The command `eiosniff` with its subcommands, and what becomes of every exception."""

import gc
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

import eiosniff
from eiosniff.cli.analyze import analyze
from eiosniff.cli.compare import compare
from eiosniff.cli.decode import decode
from eiosniff.cli.demo import demo
from eiosniff.cli.doctor import doctor
from eiosniff.cli.exits import FAILED, INTERRUPTED, UNUSABLE
from eiosniff.cli.live import live
from eiosniff.cli.output import silence
from eiosniff.cli.rules import rules
from eiosniff.errors import EiosniffError

_PACKAGE = Path(eiosniff.__file__).parent


class _Eiosniff(click.Group):
    """Turns what goes wrong in any command into one line on stderr and the exit code of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # such as `eiosniff rules | head`: the reader has enough
            silence(sys.stdout)
            return None
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except EiosniffError as error:
            _complain(f"error: {error}")
            ctx.exit(UNUSABLE)
        except Exception as error:
            if os.environ.get("EIOSNIFF_DEBUG") == "1":
                traceback.print_exc()
            _complain(
                f"internal error: {type(error).__name__} in {_place(error)}: {error}. Please report it with this line "
                "and the version; EIOSNIFF_DEBUG=1 shows more"
            )
            ctx.exit(FAILED)


@click.group(
    cls=_Eiosniff,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  eiosniff demo                           see what a diagnosis looks like
  eiosniff analyze capture.pcapng         why do client and server not get along?
  eiosniff live eth0                      the same, while the device fails
  eiosniff decode capture.pcapng          every Engine.IO and Socket.IO packet
  eiosniff compare good.pcap bad.pcap     the browser works, the device does not
  eiosniff rules show EIO038              what a rule reports, and how to mend it
  eiosniff doctor                         what works here, and what to do where it does not

\b
Exit codes:
  0    nothing at or above --fail-on was found
  1    something was
  2    the input or the options cannot be used
  3    eiosniff itself failed, or a rule
  130  interrupted
""",
)
@click.version_option(eiosniff.__version__, prog_name="eiosniff")
def cli() -> None:
    """Find out from a packet capture why a Socket.IO client and server do not get along."""


for _command in (analyze, live, decode, compare, demo, doctor, rules):
    cli.add_command(_command)


def main() -> None:
    """Run `eiosniff` with the arguments of the process."""
    # Ledgers live to the end and what decoders drop is freed by reference count; the collector's defaults would walk
    # all ledgers again for each few hundred packets (half of the time on a busy capture).
    gc.set_threshold(10_000_000, 20, 100)
    # No linear algebra here: numpy's threads for it would only cost memory and the time to start them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_streams()
    try:
        cli(prog_name="eiosniff")
    except SystemExit as end:
        _leave(end)


def _open_streams() -> None:
    """Who starts us may have closed standard streams (`>&-`). What is opened next is not to be taken for one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the lowest number that is free, which is its own.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  (open to the end)


def _leave(end: SystemExit) -> None:
    """End the process. It does not take all ledgers apart, as Python's way out does: that takes a tenth of the time of
    an analysis, and the system takes the memory back at once."""
    if isinstance(end.code, str):
        click.echo(end.code, err=True)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or there is none
            stream.flush()
    os._exit(end.code if isinstance(end.code, int) else end.code is not None)


def _complain(text: str) -> None:
    from eiosniff.report.sanitise import printable

    click.echo(f"eiosniff: {printable(text, 1000)}", err=True)


def _place(error: Exception) -> str:
    """The innermost line of eiosniff that the exception came through."""
    place = "an unknown place"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_PACKAGE):
            place = f"{path.relative_to(_PACKAGE.parent).as_posix()}:{frame.lineno}"
    return place
