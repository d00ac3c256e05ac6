"""Packets of an interface by way of a capturing program, dumpcap or tcpdump, which writes them to a pipe.

What these do was seen with dumpcap 4.0.17 and tcpdump 4.99.3 (libpcap 1.10.3) on Linux. Both end by themselves when the
interface is taken away, and say so; both go on, and say nothing, when it only goes down. dumpcap hands packets on four
times a second, tcpdump once. tcpdump tells its counters when it is asked by a signal, dumpcap only at its end: not even
to Wireshark, whose child it can be (`-Z`), does it tell them before; and what `-S` counts are other packets than those
that it captures.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from eiosniff.capture.live.devices import is_up, unknown_interface
from eiosniff.capture.live.opener import Opener, Started
from eiosniff.capture.live.pipes import PipeInput, begin, wait_readable
from eiosniff.capture.live.program_words import Ending, Reason, Words
from eiosniff.capture.live.source import LiveSource, State
from eiosniff.capture.live.surroundings import rights_remedy
from eiosniff.errors import CaptureError
from eiosniff.model.batch import PacketBatch

if sys.platform == "linux":
    pass

# What the kernel keeps while this process is busy (MiB): 100,000 packets a second of 300 bytes fill it in 1.7 s.
KERNEL_BUFFER: Final = 64
# More than any packet has: the limit of both programs (bytes).
SNAP_LENGTH: Final = 262_144

PATIENCE_S: Final = 10.0  # to begin to capture
RETRY_S: Final = 1.0
ASK_S: Final = 2.0
ENDING_S: Final = 2.0  # to write the rest, and the counters
# After so long they have handed on what they have captured (ns): what they wait for more, and a little.
DUMPCAP_LATE_NS: Final = 350_000_000
TCPDUMP_LATE_NS: Final = 1_100_000_000
REST_LIMIT: Final = 2 * KERNEL_BUFFER << 20
HEARD_AT_ONCE: Final = 1 << 16

# netdevice(7)


class BackendError(CaptureError):
    """Packets cannot come in this way; they may in another."""


class RightsError(BackendError):
    """Who would capture may not. What to do about it is found out here."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, rights_remedy() or "use another --backend; eiosniff doctor says what works here")


class NotInstalledError(BackendError):
    """The program that would capture is not there."""


class Program(NamedTuple):
    """A capturing program: how it is run to capture from an interface, the format in which it writes that, the signal
    that asks for its counters (None: it does not tell), and how long it may keep packets to itself. What it keeps when
    it is to end is lost."""

    name: str
    format: str
    command: tuple[str, ...]
    interface: str
    expression: str
    asking: int | None
    late_ns: int


def dumpcap(path: str, interface: str, expression: str) -> Program:
    """Runs dumpcap, which is at `path`; see `choose.open_live`."""
    settings = ("-q", "-i", interface, "-B", str(KERNEL_BUFFER), "-s", str(SNAP_LENGTH), "-w", "-")
    command = (path, *settings, *(("-f", expression) if expression else ()))
    return Program("dumpcap", "pcapng", command, interface, expression, None, DUMPCAP_LATE_NS)


def tcpdump(path: str, interface: str, expression: str, user: str) -> Program:
    """Runs tcpdump, which is at `path`; see `choose.open_live`.

    Started as root, it becomes `user`; without, another user that was chosen when it was built.
    """
    settings = ("-i", interface, "-B", str(KERNEL_BUFFER << 10), "-s", str(SNAP_LENGTH), "-U", "-w", "-")
    command = (path, *settings, *(("-Z", user) if user else ()), *(("--", expression) if expression else ()))
    # SIGUSR1 would end it where the system has SIGINFO (BSD, macOS); Windows has neither.
    asking = getattr(signal, "SIGINFO", getattr(signal, "SIGUSR1", None))
    return Program("tcpdump", "pcap", command, interface, expression, asking, TCPDUMP_LATE_NS)


class _Run:
    """A program from its start to its end: the capture that it writes, and what it says about it."""

    def __init__(self, program: Program, started: Started, now_s: float) -> None:
        self.pid = started.pid
        self.stdout = started.stdout
        self.input = PipeInput(program.interface, started.stdout)
        self.words = Words(program.name, program.interface, program.expression)
        self.started_s = now_s
        self.asked_s = now_s - ASK_S
        self.heard_all = False
        self._stderr = started.stderr

    @property
    def dropped(self) -> int | None:
        """How many packets were dropped, by the capture (dumpcap) or by what the program says (tcpdump)."""
        return self.words.dropped if self.input.dropped is None else self.input.dropped

    @property
    def over(self) -> bool:
        """Whether nothing comes any more, neither packets nor words."""
        return self.input.ended and self.heard_all

    def descriptors(self) -> list[int]:
        """Where something may come yet: packets first."""
        return [*([] if self.input.ended else [self.stdout]), *([] if self.heard_all else [self._stderr])]

    def begin(self) -> bool:
        """Whether it captures by now."""
        try:
            return self.input.begin()
        except CaptureError:  # it ended without a capture: what it says tells more
            return False

    def hear(self) -> None:
        """Read what it says, without waiting."""
        heard = 0
        while not self.heard_all and heard < HEARD_AT_ONCE and wait_readable([self._stderr], 0):
            try:
                data = os.read(self._stderr, HEARD_AT_ONCE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.words.hear(data or b"\n")
            self.heard_all = not data
            heard += len(data)

    def close(self) -> None:
        """Read no more."""
        self.input.close()
        self.heard_all = True
        os.close(self.stdout)
        os.close(self._stderr)


class ProgramSource(LiveSource):
    """Packets that a capturing program reads from an interface. It is started again when it ends.

    Packets that come while it is being ended are there for one more `take` after `close`.
    """

    def __init__(self, program: Program, opener: Opener, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only grow. Nothing is started yet; see `wait`."""
        super().__init__(program.interface, program.name, program.format, program.late_ns)
        self.counts_at_end = program.asking is None
        self._program = program
        self._opener = opener
        self._clock = clock
        self._run: _Run | None = None
        self._tried_s = clock()
        self._link_types: dict[int, None] = {}
        self._last_number = 0
        self._numbered_before = 0  # in the runs before
        self._dropped_before: int | None = None
        self._unreaped: list[int] = []
        self._rest: list[PacketBatch] = []

    # As a source

    @property
    def link_types(self) -> list[int]:
        """See `LiveSource`."""
        return list(self._link_types)

    @property
    def dropped(self) -> int | None:
        """See `LiveSource`."""
        now = None if self._run is None else self._run.dropped
        return self._dropped_before if now is None else now + (self._dropped_before or 0)

    def fileno(self) -> int:
        """See `LiveSource`."""
        descriptors = [] if self._run is None else self._run.descriptors()
        return descriptors[0] if descriptors else -1

    def take(self) -> list[PacketBatch]:
        """See `LiveSource`."""
        run = self._run
        if run is None:
            rest, self._rest = self._rest, []
            return rest
        batches = self._take(run)
        if run.input.damaged:
            self._break_off(run)
        elif run.input.ended:
            run.hear()
            if run.over:
                self._end(run)
        return batches

    def _take(self, run: _Run) -> list[PacketBatch]:
        if not run.begin():
            return []
        if self.state is State.WAITING:
            self._settle(run)
        batches = run.input.take()
        for batch in batches:
            batch.number += self._numbered_before
            self._last_number = int(batch.number[-1])
            self.count(batch)
        self._link_types.update(dict.fromkeys(run.input.link_types))
        return batches

    def poll(self) -> None:
        """See `LiveSource`."""
        self._unreaped = [pid for pid in self._unreaped if self._opener.reap(pid) is None]
        now, run = self._clock(), self._run
        if run is None:
            if self.state is State.WAITING and now - self._tried_s >= RETRY_S:
                self._try_again()
            return
        run.hear()
        if run.over:
            self._end(run)
        elif run.input.ended:
            self._signal(run, signal.SIGTERM)  # it has no use any more
        elif run.begin():
            self._settle(run)
            self._ask(run, now)
        elif now - run.started_s >= PATIENCE_S:
            self._signal(run, signal.SIGKILL)

    def close(self) -> None:
        """See `LiveSource`; what came until then is there for one more `take`."""
        run = self._run
        if self.state is not State.ENDED:
            self.state, self.note = State.ENDED, ""
        if run is None:
            return
        if not run.over:
            self._signal(run, signal.SIGTERM)
        deadline, kept = time.monotonic() + ENDING_S, 0
        while not run.over and kept < REST_LIMIT and wait_readable(run.descriptors(), deadline - time.monotonic()):
            for batch in self._take(run):
                self._rest.append(batch)
                kept += len(batch.buffer)
            run.hear()
        if not run.over:
            self._signal(run, signal.SIGKILL)
        self._end(run)
        while self._unreaped and time.monotonic() < deadline:
            wait_readable([], 0.002)
            self._unreaped = [pid for pid in self._unreaped if self._opener.reap(pid) is None]

    # Beginning and ending

    def wait(self) -> None:
        """Start the program, and wait until it captures, or is known to wait for its interface.

        Raises `CaptureError` where it does not, within `PATIENCE_S`.
        """
        name, interface = self._program.name, self._program.interface
        deadline = self._clock() + PATIENCE_S
        try:
            run = self._start()
        except PermissionError:
            raise RightsError(f"{name} may not be started by you") from None
        except OSError as error:
            raise BackendError(
                f"{name} cannot be started: {error}", "install it again, or use another --backend"
            ) from None
        while not run.begin():
            run.hear()
            if run.over:
                ending = run.words.ending()
                if ending.reason is not Reason.DOWN:
                    raise self._failure(ending)
                self._end(run)
                return
            if not wait_readable(run.descriptors(), deadline - self._clock()):
                problem = f"{name} did not begin to capture on {interface} within {PATIENCE_S:.0f} s"
                raise BackendError(problem, "see whether it does by hand, or use another --backend")
        self._settle(run)

    def _start(self) -> _Run:
        """Start the program. Raises `OSError`."""
        self._tried_s = self._clock()
        self._run = _Run(self._program, self._opener.start(self._program.command), self._tried_s)
        return self._run

    def _try_again(self) -> None:
        try:
            self._start()
        except OSError as error:
            self._wait_for(f"{self._program.name} cannot be started: {error}")

    def _settle(self, run: _Run) -> None:
        """The program captures: whether there is anything to wait for lies with the interface."""
        if _is_down(self.name):
            self._wait_for(f"{self.name} is down")
        elif self.state is State.WAITING:
            self.state, self.note = State.RUNNING, ""

    def _wait_for(self, note: str) -> None:
        if self.state is not State.ENDED:
            self.state, self.note = State.WAITING, note

    def _ask(self, run: _Run, now_s: float) -> None:
        """Have the program tell its counters now and then."""
        if self._program.asking is not None and run.words.listening and now_s - run.asked_s >= ASK_S:
            run.asked_s = now_s
            self._signal(run, self._program.asking)

    def _signal(self, run: _Run, number: int) -> None:
        with suppress(OSError):  # it may run as somebody else
            self._opener.signal(run.pid, number)

    def _break_off(self, run: _Run) -> None:
        """What the program wrote is damaged: there is no way on from there."""
        self.problems = [replace(flaw, packet=flaw.packet + self._numbered_before) for flaw in run.input.problems]
        self.state, self.note = State.ENDED, self.problems[0].text
        self._signal(run, signal.SIGTERM)
        self._end(run)

    def _end(self, run: _Run) -> None:
        """Keep what counts of a run that is over, and say why it is."""
        self._dropped_before = self.dropped
        self._numbered_before = self._last_number
        self._run = None
        run.close()
        code = self._opener.reap(run.pid)
        if code is None:
            self._unreaped.append(run.pid)
        self._wait_for(self._note(run.words.ending(), code))

    def _note(self, ending: Ending, code: int | None) -> str:
        """Why the program ended, for who waits until it captures again."""
        name, interface = self._program.name, self._program.interface
        if ending.reason is Reason.GONE:
            return f"{interface} is gone"
        if ending.reason is Reason.DOWN:
            return f"{interface} is down"
        if ending.reason is Reason.RIGHTS:
            return f"{name} may not capture on {interface} any more"
        if ending.text:
            return f"{name} ended: {ending.text}"
        return f"{name} was ended by signal {-code}" if code is not None and code < 0 else f"{name} ended"

    def _failure(self, ending: Ending) -> CaptureError:
        """Why the program did not begin, for who started it."""
        name, interface = self._program.name, self._program.interface
        if ending.reason is Reason.RIGHTS:
            return RightsError(f"{name} may not capture on {interface}")
        if ending.reason is Reason.GONE:
            return unknown_interface(interface)
        if ending.reason is Reason.FILTER:
            problem = f"the filter {self._program.expression!r} cannot be used: {ending.text}"
            return CaptureError(problem, "see pcap-filter(7)")
        problem = f"{name} does not capture on {interface}: {ending.text or 'it does not say why'}"
        return BackendError(problem, "use another --backend")


def open_program(program: Program, opener: Opener) -> ProgramSource:
    """Start a capturing program, and wait until it captures.

    Raises `CaptureError` that says why it does not, `RightsError` where it may not.
    """
    source = ProgramSource(program, opener)
    begin(source)
    return source


def _is_down(interface: str) -> bool:
    """Whether an interface is there and switched off, as far as this can be told."""
    try:
        return sys.platform == "linux" and not is_up(interface)
    except OSError:  # it is gone, or none (`any`)
        return False
