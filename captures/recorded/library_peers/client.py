# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of python-socketio, of whatever version this interpreter holds.

Its plan, the first argument, a JSON object: `url`, `transports`, `mode` ("sync" or "asyncio"), `lifeMs`, and
`attempts`: how often it tries, half a second apart, before it gives up.
"""

import asyncio
import json
import sys
import time
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only

plan: dict[str, Any] = json.loads(sys.argv[1])
PAUSE_S = 0.5


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def synchronous() -> None:
    sio = socketio.Client(reconnection=False)
    sio.on("greeting", lambda text: log("event greeting", text))
    for _ in range(plan.get("attempts", 1)):
        try:
            sio.connect(plan["url"], transports=plan.get("transports"))
        except socketio.exceptions.ConnectionError as error:
            log("connect_error:", error)
            time.sleep(PAUSE_S)
            continue
        sio.emit("hello", "word 1", callback=lambda answer: log("acknowledged:", answer))
        time.sleep(plan["lifeMs"] / 1000)
        sio.disconnect()
        break


async def asynchronous() -> None:
    sio = socketio.AsyncClient(reconnection=False)
    sio.on("greeting", lambda text: log("event greeting", text))
    for _ in range(plan.get("attempts", 1)):
        try:
            await sio.connect(plan["url"], transports=plan.get("transports"))
        except socketio.exceptions.ConnectionError as error:
            log("connect_error:", error)
            await asyncio.sleep(PAUSE_S)
            continue
        await sio.emit("hello", "word 1", callback=lambda answer: log("acknowledged:", answer))
        await asyncio.sleep(plan["lifeMs"] / 1000)
        await sio.disconnect()
        break


if plan.get("mode") == "asyncio":
    asyncio.run(asynchronous())
else:
    synchronous()
print("DONE", flush=True)
