# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plans of several recordings have in common: addresses, options, and the steps of clients written by hand."""

from __future__ import annotations

from typing import Any

from lab import Lab

from faulty_peers.peers import Plan

URL = f"http://{Lab.server_ip}:3000"
WS_URL = f"ws://{Lab.server_ip}:3000/socket.io/?EIO=4&transport=websocket"
WS_URL_3 = WS_URL.replace("EIO=4", "EIO=3")

POLLING_ONLY: Plan = {"transports": ["polling"]}
WEBSOCKET_ONLY: Plan = {"transports": ["websocket"]}
ALLOWS_EIO3: Plan = {"allowEIO3": True}
# Heartbeats so short that a recording of a few seconds holds some, and their absence.
QUICK: Plan = {"pingInterval": 1000, "pingTimeout": 800}
QUICK_PYTHON: Plan = {"ping_interval": 1, "ping_timeout": 0.8}
QUICK_TOTAL_S = 1.8
SHORT_UPGRADE: Plan = {"options": {"upgradeTimeout": 1500}}

RETRIES: Plan = {"url": URL, "attempts": 4}
RETRIES_POLLING: Plan = {**RETRIES, "options": POLLING_ONLY}
RETRIES_WEBSOCKET: Plan = {**RETRIES, "options": WEBSOCKET_ONLY}
TALKS: Plan = {"url": URL, "lifeMs": 3000, "hello": {"times": 2, "everyMs": 500}}
TALKS_POLLING: Plan = {**TALKS, "options": POLLING_ONLY}
TALKS_WEBSOCKET: Plan = {**TALKS, "options": WEBSOCKET_ONLY}
TALKS_SLOWLY: Plan = {"url": URL, "lifeMs": 4000, "hello": {"times": 2, "everyMs": 1000}}
# A client whose session is not followed by another one; how long it stays is for the recording to say.
ONCE_POLLING: Plan = {"url": URL, "options": {**POLLING_ONLY, "reconnection": False}}
ONCE_WEBSOCKET: Plan = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnection": False}}

Step = list[Any]

# Of raw_ws.js.
PONGS = {"2": "3"}
HELLO = '42["hello","word"]'
OPEN_AND_CONNECT: list[Step] = [["expect", "0"], ["send", "40"], ["expect", "40"]]

# Of raw_session.js.
CONNECT: list[Step] = [["post", "40"], ["get"]]


def by_hand(*steps: Step, **more: object) -> dict[str, object]:
    """A session that raw_session.js opens by polling, and then these steps."""
    return asks_by_hand(["open"], *steps, **more)


def asks_by_hand(*steps: Step, **more: object) -> dict[str, object]:
    """These steps of raw_session.js and no others."""
    return {"host": Lab.server_ip, "steps": list(steps), **more}
