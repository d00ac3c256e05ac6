"""`eiosniff live` as a process of its own, and what it wrote, with the instants at which that could be read."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import IO, Any, NamedTuple, Self

Event = dict[str, Any]

PATIENCE_S = 15.0
_NS = 1_000_000_000


class Seen(NamedTuple):
    """An event, and when its line had been read (ns since 1970)."""

    read_ns: int
    event: Event


class Watcher:
    """Runs `eiosniff live ARGUMENTS --format jsonl`, in a network namespace if one is given, in a session of its own.

    Leave it with `end`, or as a context manager, which kills it.
    """

    def __init__(
        self,
        *arguments: object,
        namespace: str = "",
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        command = [sys.executable, "-m", "eiosniff", "live", *map(str, arguments), "--no-config", "--format", "jsonl"]
        self.popen = subprocess.Popen(
            [*inside, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=folder,
            start_new_session=True,
        )
        self._seen: list[Seen] = []
        self._said: list[str] = []
        self._over = False
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._hear)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            read_ns = time.time_ns()
            with self._news:
                self._seen.append(Seen(read_ns, json.loads(line)))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _hear(self) -> None:
        assert self.popen.stderr
        for line in self.popen.stderr:
            self._said.append(line.decode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()
        for reader in self._readers:
            reader.join(PATIENCE_S)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()

    @property
    def seen(self) -> list[Seen]:
        with self._news:
            return list(self._seen)

    @property
    def events(self) -> list[Event]:
        return [seen.event for seen in self.seen]

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return "".join(self._said)

    def of(self, *kinds: str) -> list[Event]:
        """The events of some kinds, in order."""
        return [event for event in self.events if event["event"] in kinds]

    def wait_for(
        self, what: str | Callable[[Event], object], timeout_s: float = PATIENCE_S, *, since_ns: int = 0
    ) -> Seen:
        """The first event of a kind, or for which something holds, of those that are read from an instant on."""
        holds = (lambda event: event["event"] == what) if isinstance(what, str) else what
        looked_at = 0

        def found() -> Seen | None:
            nonlocal looked_at
            for seen in self._seen[looked_at:]:
                looked_at += 1
                if seen.read_ns >= since_ns and holds(seen.event):
                    return seen
            return None

        deadline = time.monotonic() + timeout_s
        with self._news:
            while (first := found()) is None:
                if self._over or not self._news.wait(deadline - time.monotonic()):
                    told = "\n".join(brief(seen.event) for seen in self._seen)
                    raise AssertionError(f"{what} did not come within {timeout_s} s; came:\n{told}\n{self.said}")
        return first

    def started(self) -> Self:
        """Wait until it captures."""
        self.wait_for("started")
        return self

    def send(self, what: signal.Signals) -> None:
        self.popen.send_signal(what)

    def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it is over, and all that it wrote is read; its exit code."""
        code = self.popen.wait(timeout_s)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return code

    def end(self, by: signal.Signals = signal.SIGINT) -> Event:
        """Have it end; its report."""
        self.send(by)
        code = self.ended()
        assert code == 130, self.said
        return self.report

    @property
    def report(self) -> Event:
        """The whole report, which is the last line."""
        last = self.events[-1]
        assert last["event"] == "report", brief(last)
        report: Event = last["report"]
        return report


def instant_ns(text: str) -> int:
    """An instant of an event, in ns since 1970."""
    whole, fraction = text.removesuffix("Z").split(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * _NS + int(fraction)


def proof_ns(event: Event) -> int:
    """When the last packet that proves a finding was captured."""
    return instant_ns(
        next(each["time"] for each in event["diagnosis"]["evidence"] if each["packet"] == event["packet"])
    )


def found(rule: str) -> Callable[[Event], bool]:
    """Whether an event is a finding of this rule (its name)."""
    return lambda event: event["event"].startswith("finding-") and event["diagnosis"]["name"] == rule


def of_sid(kind: str, sid: str) -> Callable[[Event], bool]:
    """Whether an event of this kind is about the session with this id."""
    return lambda event: event["event"] == kind and event["session"]["sid"] == sid


def brief(event: Event) -> str:
    """An event in a line, for who reads why a test failed."""
    what = event.get("diagnosis") or event.get("session") or {}
    words = [event["time"], event["event"], what.get("name", what.get("sid"))]
    words += [what.get("severity"), what.get("certainty"), event.get("text")]
    return "  ".join(str(word) for word in words if word)


def blamed(watcher: Watcher) -> list[str]:
    """All that was ever told to be wrong: findings that are warnings or errors, by what they said."""
    return [
        brief(event)
        for event in watcher.of("finding-new", "finding-changed")
        if event["diagnosis"]["severity"] in ("warning", "error")
    ]
