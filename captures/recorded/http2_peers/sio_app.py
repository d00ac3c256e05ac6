# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server for hypercorn, which speaks HTTP/2 and WebSocket over it (RFC 8441), with a page."""

from __future__ import annotations

import os
from typing import Any

import socketio

server = socketio.AsyncServer(
    async_mode="asgi", ping_interval=int(os.environ.get("PING_INTERVAL", "25")), ping_timeout=20,
    cors_allowed_origins="*", max_http_buffer_size=100_000,
)  # fmt: skip


@server.on("add")
async def add(_: str, first: int, second: int) -> int:
    """Acknowledge with the sum."""
    return first + second


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Serve the page and the client's script."""
    if scope["type"] == "lifespan":
        while True:
            what = (await receive())["type"]
            await send({"type": what + ".complete"})
            if what == "lifespan.shutdown":
                return
    kind, file = ("text/html", "PAGE") if scope["path"] == "/page" else ("text/javascript", "SCRIPT")
    with open(os.environ[file], "rb") as opened:  # noqa: PTH123  # small
        body = opened.read()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = socketio.ASGIApp(server, page)
