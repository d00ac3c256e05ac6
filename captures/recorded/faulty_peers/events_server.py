# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server on aiohttp whose handlers do what its plan says.

Its plan, the first argument, a JSON object: `options` for the AsyncServer, and `handlers`: {event: {"afterMs": 1500}}
returns so much later, {event: {"raises": true}} raises instead.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only
from on_aiohttp import run

plan: dict[str, Any] = json.loads(sys.argv[1])
logging.basicConfig(stream=sys.stdout, level=logging.CRITICAL)
sio = socketio.AsyncServer(async_mode="aiohttp", **plan.get("options", {}))


def handler(event: str, behaviour: dict[str, Any]) -> Callable[..., Awaitable[str]]:
    async def handle(sid: str, *args: object) -> str:
        print("LOG event", event, flush=True)
        if behaviour.get("raises"):
            raise KeyError(event)
        await asyncio.sleep(behaviour.get("afterMs", 0) / 1000)
        return "done"

    return handle


for name, wanted in plan.get("handlers", {}).items():
    sio.on(name, handler(name, wanted))


run(sio)
