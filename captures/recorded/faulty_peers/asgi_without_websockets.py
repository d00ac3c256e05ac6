# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server on uvicorn that does no WebSockets, as without a package for them.

Its plan, the first argument, a JSON object: `options` for the AsyncServer.
"""

import json
import logging
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only
import uvicorn  # type: ignore[import-not-found]

plan: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}

logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="LOG %(name)s: %(message)s")
sio = socketio.AsyncServer(async_mode="asgi", **plan.get("options", {}))


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object, auth: object = None) -> None:
    print("LOG connection", flush=True)


@sio.event  # type: ignore[untyped-decorator]
async def hello(sid: str, word: str) -> str:
    await sio.emit("greeting", f"{word} to you", to=sid)
    return "well received"


class Server(uvicorn.Server):  # type: ignore[misc]
    """Says when it listens."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets)
        print("LISTENING", flush=True)


config = uvicorn.Config(socketio.ASGIApp(sio), host="0.0.0.0", port=3000, ws="none", lifespan="off", log_config=None)
Server(config).run()
