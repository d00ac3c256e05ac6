# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers in Python that make it hard to get in.

The plan, the first argument, a JSON object: `kind` is `engineio` (python-engineio on aiohttp, whose
application refuses every client), `aiohttp` (python-socketio under the path `path`) or `asgi` (the
same, in an application of FastAPI under uvicorn); `options` are for the AsyncServer.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

plan: dict[str, Any] = json.loads(sys.argv[1])


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def engine_that_refuses() -> Any:
    eio = importlib.import_module("engineio").AsyncServer(async_mode="aiohttp", **plan.get("options", {}))

    async def connect(sid: str, environ: object) -> bool:
        log("refused")
        return False

    eio.on("connect", connect)
    return eio


def socketio_server() -> Any:
    mode = "asgi" if plan["kind"] == "asgi" else "aiohttp"
    return importlib.import_module("socketio").AsyncServer(async_mode=mode, **plan.get("options", {}))


async def serve_aiohttp(server: Any, **attach: str) -> None:
    web = importlib.import_module("aiohttp.web")

    app = web.Application()
    server.attach(app, **attach)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=3000).start()
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


def serve_asgi(server: Any) -> None:
    # Of the peer's own venv, as all that is imported here by name.
    socketio, uvicorn = (importlib.import_module(name) for name in ("socketio", "uvicorn"))
    app = importlib.import_module("fastapi").FastAPI()
    app.mount(plan["path"], socketio.ASGIApp(server))

    class Announced(uvicorn.Server):  # type: ignore[misc, name-defined]
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print("LISTENING", flush=True)

    Announced(uvicorn.Config(app, host="0.0.0.0", port=3000, log_level="error")).run()


if plan["kind"] == "asgi":
    serve_asgi(socketio_server())
elif plan["kind"] == "aiohttp":
    asyncio.run(serve_aiohttp(socketio_server(), socketio_path=plan.get("path", "socket.io")))
else:
    asyncio.run(serve_aiohttp(engine_that_refuses()))
