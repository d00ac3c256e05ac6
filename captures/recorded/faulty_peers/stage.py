# SPDX-License-Identifier: GPL-2.0-or-later
"""A recording, and the laboratory in which it is made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from lab import DEVICE, Lab, Process, RelayPlan, Side

from faulty_peers import wire
from faulty_peers.peers import Peer, Plan

_MOST_LOG_LINES = 12


@dataclass(frozen=True)
class Rule:
    name: str
    code: str


@dataclass(frozen=True)
class Recording:
    """What to record, and what the capture must show for it to be a recording of that."""

    rule: Rule
    variant: str
    server: Peer
    client: Peer
    what: str
    shows: Sequence[str]  # display filters, matched by packets in this order ...
    times: int = 1  # ... and this often in a row
    lacks: Sequence[str] = ()  # display filters that no packet may match
    near_miss: bool = False
    serve: Plan = field(default_factory=dict)
    visit: Plan = field(default_factory=dict)
    play: Callable[[Stage], None] = lambda stage: stage.whole_visit()
    relay: RelayPlan | None = None
    derive: Callable[[bytes], bytes] | None = None  # from quality.WHOLE_SESSION, without a lab

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.rule.name, self.variant)))

    @property
    def file(self) -> str:
        return f"{'near_miss' if self.near_miss else 'faulty'}/{self.name}.pcap"


class Stage:
    """One recording while it is made."""

    def __init__(self, lab: Lab, recording: Recording, capture: Path, folder: Path) -> None:
        self.lab = lab
        self.recording = recording
        self.folder = folder  # for what the peers need and nobody keeps
        self._capture = capture
        self._heard: list[tuple[Side, Process]] = []

    def capture(self, side: Side = "server", device: str = DEVICE, filter: str = "tcp") -> AbstractContextManager[None]:
        # On `any` libpcap takes a slot of this length for each frame, and has too few of 256 KiB.
        snaplen = 4096 if device == "any" else 0
        return self.lab.capture(self._capture, side=side, device=device, filter=filter, snaplen=snaplen)

    def start_server(self, *, ready: str = "LISTENING", **more: object) -> Process:
        server = self.recording.server
        plan = {**self.recording.serve, **more}
        process = self.lab.start("server", server.argv(plan), ready=ready, env=server.env())
        self._heard.append(("server", process))
        return process

    def start_client(self, ready: str | None = "CONNECTED", *, on: Side = "client", **more: object) -> Process:
        """`on`: whose host it runs on."""
        client = self.recording.client
        plan = {**self.recording.visit, **more}
        process = self.lab.start(on, client.argv(plan), ready=ready, env=client.env())
        self._heard.append(("client", process))
        return process

    def run_client(self) -> None:
        self.start_client(ready=None).wait(timeout=180)

    def whole_visit(self) -> None:
        """The server is there, the client comes and goes."""
        self.start_server()
        self.visit()

    def visit(self, side: Side = "server", device: str = DEVICE) -> None:
        """The client comes and goes while it is captured."""
        with self.capture(side, device):
            self.run_client()
            time.sleep(0.3)

    def testimony(self) -> list[str]:
        """What the peers said themselves, repetitions folded."""
        said = Counter(
            f"{side}: {line.removeprefix('LOG ').strip()}"
            for side, peer in self._heard
            for line in peer.output.splitlines()
            if line.startswith("LOG ")
        )
        lines = [line + (f" ({n} times)" if n > 1 else "") for line, n in said.items()]
        return lines[:_MOST_LOG_LINES]


def prove(recording: Recording, capture: Path) -> list[int]:
    return wire.prove(capture, recording.shows, recording.times, recording.lacks)
