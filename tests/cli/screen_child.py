"""A program with a screen, for tests to look at through a terminal: `python -m tests.cli.screen_child HOW`.

It makes the terminal that is its standard output its own, shows a picture, and takes keys until one asks to stop. What
happened it prints after the screen is closed. HOW: `keys`; `flood` draws without end while nobody reads; `raise` fails
while the screen is shown; `bare` does not make the terminal its own, as its parent did.
"""

import fcntl
import os
import select
import signal
import sys
import termios
import time

from eiosniff.cli.screen import Screen
from eiosniff.errors import EiosniffError
from eiosniff.live.face import Wish
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import report
from tests.unit.report.live_views import NOW, RULES, view

_PATIENCE_S = 20.0


def main(how: str) -> int:
    if how != "bare":
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        screen = Screen(
            RULES, Redactor(), lambda report: print(f"report of {report.sessions_total} sessions", flush=True)
        )
    except EiosniffError as error:
        print(f"no screen: {error}", flush=True)
        return 2
    wishes: list[Wish] = []
    try:
        if how == "flood":
            flood(screen)
        elif how == "raise":
            screen.show(view())
            raise RuntimeError("as bugs do")
        else:
            wishes = use(screen)
            screen.report(report(), NOW)
    except BrokenPipeError:
        screen.close()
        return 42
    finally:
        screen.close()
        screen.close()
    print(f"wishes: {', '.join(wish.name for wish in wishes)}", flush=True)
    return 0


def use(screen: Screen) -> list[Wish]:
    """Show and listen, until the user stops it."""
    resized, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGWINCH, lambda *_: None)
    wishes: list[Wish] = []
    end = time.monotonic() + _PATIENCE_S
    while Wish.STOP not in wishes and time.monotonic() < end:
        screen.show(view())
        ready, _, _ = select.select([screen.fileno(), resized], [], [], 0.05)
        if resized in ready:
            os.read(resized, 100)
        if screen.fileno() in ready:
            wishes += screen.typed()
            if Wish.WRITE_REPORT in wishes:
                screen.say("a report is in eiosniff.txt")
    return wishes


def flood(screen: Screen) -> None:
    """Draw other pictures, again and again."""
    for at in range(3_000):
        screen.show(view(now_ns=NOW + at * 1_000_000_000, packets=at * 7_919, source=f"eth{at}"))
    print("drawn", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
