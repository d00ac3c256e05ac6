# SPDX-License-Identifier: GPL-2.0-or-later
"""A Socket.IO server of python-socketio in several worker processes of uvicorn, behind one port."""

from __future__ import annotations

import json
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]
import uvicorn  # type: ignore[import-not-found]

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)


@sio.event  # type: ignore[untyped-decorator]
async def hello(sid: str, word: str) -> str:
    await sio.emit("greeting", f"{word} to you", to=sid)
    return "well received"


if __name__ == "__main__":
    plan: dict[str, Any] = json.loads(sys.argv[1])
    uvicorn.run("asgi_server:app", host="0.0.0.0", port=3000, workers=plan["workers"], log_level="info")
