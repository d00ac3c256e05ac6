# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of python-socketio; without the package websocket-client it can only poll.

Its plan, the first argument, a JSON object: `url`, `options` for connect(), `lifeMs`: leaves after
so long, `hello`: {times, everyMs}: sends the event "hello" so often, and wants acknowledgements,
`attempts`: does all of it so often, a second apart, `burst`: {times, bytes}: sends so many "hello" of
that size at once.
"""

import json
import logging
import sys
import time
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only

plan: dict[str, Any] = json.loads(sys.argv[1])
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="LOG %(name)s: %(message)s")


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def visit() -> None:
    began = time.monotonic()
    sio = socketio.Client(
        reconnection=False,
        logger=logging.getLogger("socketio"),
        engineio_logger=logging.getLogger("engineio"),
    )
    sio.on("greeting", lambda text: log("event greeting"))
    try:
        sio.connect(plan["url"], **plan.get("options", {}))
    except socketio.exceptions.ConnectionError as error:
        log("connect_error:", error)
        return
    print("CONNECTED", flush=True)
    log("connect, transport", sio.transport())
    hello = plan.get("hello", {"times": 0, "everyMs": 0})
    for i in range(hello["times"]):
        if not sio.connected:
            break
        sio.emit("hello", f"word {i + 1}", callback=lambda answer: log("acknowledged:", answer))
        time.sleep(hello["everyMs"] / 1000)
    burst = plan.get("burst", {"times": 0, "bytes": 0})
    for i in range(burst["times"]):
        sio.emit("hello", f"{i + 1} ".ljust(burst["bytes"], "x"), callback=lambda answer: log("acknowledged"))
    time.sleep(max(0.0, plan["lifeMs"] / 1000 - (time.monotonic() - began)))
    print("SESSION", sio.eio.sid, "ends over", sio.transport(), flush=True)
    sio.disconnect()


for attempt in range(plan.get("attempts", 1)):
    if attempt:
        time.sleep(1)
    visit()
