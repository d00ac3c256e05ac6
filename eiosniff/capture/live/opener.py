"""Opens what takes rights: capturing programs and packet sockets. Who keeps the rights may be another process."""

import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from eiosniff.capture.live.rights import User


class Started(NamedTuple):
    """A program that runs: its process, and the descriptors of what it prints (non-blocking, owned by who asked)."""

    pid: int
    stdout: int
    stderr: int


class Opener(ABC):
    """Opens sources as long as a capture lasts: an interface that vanished may have to be opened again.

    `user` is who this process becomes by `give_up_rights`; None where it stays who it is.
    """

    user: User | None = None

    @abstractmethod
    def start(self, command: Sequence[str]) -> Started:
        """Start a program in a session of its own, so that Ctrl-C does not reach it. Raises `OSError`."""

    @abstractmethod
    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a program that was started; nothing happens where it is gone."""

    @abstractmethod
    def reap(self, pid: int) -> int | None:
        """The exit code of a program that was started, negative for a signal; None while it runs."""

    @abstractmethod
    def packet_socket(self, interface: str, expression: str) -> socket.socket:
        """A socket that gets the packets of an interface that a BPF expression lets through (empty: all).

        Raises `OSError` where it cannot be opened, `CaptureError` for an expression that is none.
        """

    def give_up_rights(self) -> None:  # noqa: B027  (who opens by itself has to keep them)
        """Give up the rights that this process does not need to go on, before the first byte is parsed.

        Where somebody else keeps them, what was asked for before may be asked for again afterwards, and nothing else.
        Raises `EiosniffError` where they cannot be given up.
        """

    @abstractmethod
    def close(self) -> None:
        """End what was started and still runs."""

    def leave(self) -> None:  # noqa: B027  (what another process started ends with that one)
        """The same, where nobody waits for it: this process is about to end."""


class DirectOpener(Opener):
    """Opens everything in this process, with the rights that it has."""

    def __init__(self) -> None:
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, command: Sequence[str]) -> Started:
        """See `Opener`."""
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        assert process.stderr is not None
        self._running[process.pid] = process
        started = Started(process.pid, os.dup(process.stdout.fileno()), os.dup(process.stderr.fileno()))
        process.stdout.close()
        process.stderr.close()
        os.set_blocking(started.stdout, False)
        os.set_blocking(started.stderr, False)
        return started

    def signal(self, pid: int, number: int) -> None:
        """See `Opener`."""
        process = self._running.get(pid)
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def reap(self, pid: int) -> int | None:
        """See `Opener`."""
        process = self._running.get(pid)
        code = None if process is None else process.poll()
        if code is not None:
            del self._running[pid]
        return code

    def packet_socket(self, interface: str, expression: str) -> socket.socket:
        """See `Opener`."""
        from eiosniff.capture.live.ring import open_packet_socket  # noqa: PLC0415  (scapy takes a while to load)

        return open_packet_socket(interface, expression)

    def close(self) -> None:
        """See `Opener`."""
        self.leave()
        for process in self._running.values():
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def leave(self) -> None:
        """See `Opener`."""
        for process in self._running.values():
            with suppress(OSError):
                process.send_signal(signal.SIGTERM)
