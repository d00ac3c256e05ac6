# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to play a recording, for more than one theme."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import Side

from faulty_peers.plans import QUICK_TOTAL_S
from faulty_peers.stage import Stage

FIRST_BEAT_S = 1.5  # one ping of a quick session is answered by then


def curl(*arguments: str) -> Callable[[Stage], None]:
    """Curl with these arguments is the client."""

    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture():
            stage.lab.run("client", ["curl", "-s", "-m", "10", *arguments])
            time.sleep(0.3)

    return play


def client_freezes(stage: Stage) -> None:
    """The client is stopped for good (SIGSTOP)."""
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(FIRST_BEAT_S)
        client.freeze()
        time.sleep(2 * QUICK_TOTAL_S)


def server_freezes(stage: Stage) -> None:
    """The server is stopped for good (SIGSTOP)."""
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(FIRST_BEAT_S)
        server.freeze()
        client.wait(timeout=20)
        time.sleep(FIRST_BEAT_S)


def wire_is_cut(at: Side) -> Callable[[Stage], None]:
    """Nothing passes any more, which is captured at one side; needs a relay."""

    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture(side=at):
            stage.start_client()
            time.sleep(FIRST_BEAT_S)
            stage.lab.relay.cut()
            time.sleep(2.5 * QUICK_TOTAL_S)

    return play
