# SPDX-License-Identifier: GPL-2.0-or-later
"""A Python server as the protocol test suites of Socket.IO want it: it sends back what it gets.

suites_server.py '{"library": "python-engineio" or "python-socketio", "port": ..., "options": {...}}'
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

from aiohttp import web  # type: ignore[import-not-found]  # of the peer's own venv

CONFIG: dict[str, Any] = json.loads(sys.argv[1])


def engineio_server(options: dict[str, Any]) -> Any:
    server = importlib.import_module("engineio").AsyncServer(**options)

    async def echo(sid: str, data: Any) -> None:
        await server.send(sid, data)

    server.on("message", echo)
    return server


def socketio_server(options: dict[str, Any]) -> Any:
    server = importlib.import_module("socketio").AsyncServer(**options)

    def greet_in(namespace: str) -> None:
        async def greet(sid: str, auth: Any) -> None:
            await server.emit("auth", auth or {}, to=sid, namespace=namespace)

        async def connect(sid: str, environ: Any, auth: Any) -> None:
            server.start_background_task(greet, sid, auth)  # after the answer to CONNECT

        server.on("connect", connect, namespace=namespace)

    async def message(sid: str, *values: Any) -> None:
        await server.emit("message-back", values, to=sid)

    async def message_with_ack(sid: str, *values: Any) -> tuple[Any, ...]:
        return values

    greet_in("/")
    greet_in("/custom")
    server.on("message", message)
    server.on("message-with-ack", message_with_ack)
    return server


async def main() -> None:
    app = web.Application()
    make = engineio_server if CONFIG["library"] == "python-engineio" else socketio_server
    make({"async_mode": "aiohttp", **CONFIG["options"]}).attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=CONFIG["port"]).start()
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
