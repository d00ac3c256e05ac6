# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server on aiohttp, of whatever version this interpreter holds.

Its plan, the first argument, a JSON object: `port` (3000 unless given), `path` (socket.io unless
given), `options` for the AsyncServer, `token`: a client whose auth carries another one is
refused, with `errorData`, `mostPackets`: what it takes of one polling body, and `echo`: "hello" is
answered by nothing but an acknowledgement that repeats it.
"""

import json
import logging
import sys
from typing import Any

import engineio  # type: ignore[import-not-found]  # is in the venv of the peer only
import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only
from on_aiohttp import run

plan: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}

if "mostPackets" in plan:
    engineio.payload.Payload.max_decode_packets = plan["mostPackets"]
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="LOG %(name)s: %(message)s")
sio = socketio.AsyncServer(
    async_mode="aiohttp",
    logger=logging.getLogger("socketio"),
    engineio_logger=logging.getLogger("engineio"),
    **plan.get("options", {}),
)


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object, auth: dict[str, str] | None = None) -> None:
    if "token" in plan and (auth or {}).get("token") != plan["token"]:
        raise socketio.exceptions.ConnectionRefusedError("unauthorized", plan["errorData"])
    log("connection")


@sio.event  # type: ignore[untyped-decorator]
async def disconnect(sid: str, reason: str = "reason not told") -> None:
    log("disconnect:", reason)


@sio.event  # type: ignore[untyped-decorator]
async def hello(sid: str, word: str) -> str:
    log("event hello", word)
    if plan.get("echo"):
        return word
    await sio.emit("greeting", f"{word} to you", to=sid)
    return "well received"


def tell_sessions(event: str, word: str, handle: Any) -> None:
    """Lines that start with SESSION are for who watches this server."""

    async def told(sid: str, *more: object) -> object:
        print("SESSION", sid, word, flush=True)
        return await handle(sid, *more)

    sio.eio.on(event, told)


tell_sessions("connect", "opened", sio._handle_eio_connect)
tell_sessions("disconnect", "closed", sio._handle_eio_disconnect)
run(sio, plan.get("path", "socket.io"), plan.get("port", 3000))
