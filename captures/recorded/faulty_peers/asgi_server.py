# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server on uvicorn.

Its plan, the first argument, a JSON object: `workers`, processes that accept connections at one
port and know nothing of each other (1); `mount`: it is part of an application of FastAPI, under
this path; `ws`: what uvicorn is to do WebSockets with ("auto").
"""

import importlib
import json
import logging
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only
import uvicorn  # type: ignore[import-not-found]

plan: dict[str, Any] = json.loads(sys.argv[1])
WORKERS = plan.get("workers", 1)
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="LOG %(name)s: %(message)s")
sio = socketio.AsyncServer(async_mode="asgi")


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object, auth: object = None) -> None:
    log("connection")


@sio.event  # type: ignore[untyped-decorator]
async def hello(sid: str, word: str) -> str:
    await sio.emit("greeting", f"{word} to you", to=sid)
    return "well received"


def application() -> Any:
    if WORKERS > 1:  # then the port is bound before a worker is there
        print("LISTENING", flush=True)
    if "mount" not in plan:
        return socketio.ASGIApp(sio)
    app = importlib.import_module("fastapi").FastAPI()  # not every peer has it
    app.mount(plan["mount"], socketio.ASGIApp(sio))
    return app


class Server(uvicorn.Server):  # type: ignore[misc]
    """Says when it listens."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print("LISTENING", flush=True)


OPTIONS: dict[str, Any] = {
    "factory": True,
    "host": "0.0.0.0",
    "port": 3000,
    "ws": plan.get("ws", "auto"),
    "lifespan": "off",
    "log_config": None,
}
APPLICATION = "asgi_server:application"  # by name: each worker is a process that imports it

if __name__ == "__main__":
    if WORKERS > 1:
        uvicorn.run(APPLICATION, workers=WORKERS, **OPTIONS)
    else:
        Server(uvicorn.Config(APPLICATION, **OPTIONS)).run()
