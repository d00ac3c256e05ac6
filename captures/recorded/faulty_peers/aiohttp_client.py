# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio client on aiohttp that has a heartbeat of WebSocket as well.

Its plan, the first argument, a JSON object: `url`, `heartbeat_s` (the option `heartbeat` of aiohttp:
a PING frame so often, and half as long to wait for PONG), `most_bytes` (of a message, its option
`max_msg_size`), `life_s` (when it leaves).
"""

import asyncio
import json
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only

plan: dict[str, Any] = json.loads(sys.argv[1])
sio = socketio.AsyncClient(
    reconnection=False,
    websocket_extra_options={"heartbeat": plan.get("heartbeat_s"), "max_msg_size": plan.get("most_bytes", 4 << 20)},
)


@sio.event  # type: ignore[untyped-decorator]
async def connect() -> None:
    print("CONNECTED", flush=True)
    print("LOG connect", flush=True)


@sio.event  # type: ignore[untyped-decorator]
async def disconnect(reason: str = "reason not told") -> None:
    print("LOG disconnect:", reason, flush=True)


async def visit() -> None:
    await sio.connect(plan["url"], transports=["websocket"])
    await asyncio.sleep(plan["life_s"])
    await sio.disconnect()


asyncio.run(visit())
