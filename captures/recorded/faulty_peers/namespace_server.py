# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio server on aiohttp that throws its clients out.

Its plan, the first argument, a JSON object: `throwOutS`, so long after a client has come; `options` for the
AsyncServer; `refuses` all clients.
"""

import asyncio
import json
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only
from on_aiohttp import run

plan: dict[str, Any] = json.loads(sys.argv[1])
sio = socketio.AsyncServer(async_mode="aiohttp", **plan.get("options", {}))


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object) -> None:
    print("LOG connection", flush=True)
    if plan.get("refuses"):
        raise socketio.exceptions.ConnectionRefusedError("unauthorized")

    async def throw_out() -> None:
        await asyncio.sleep(plan["throwOutS"])
        await sio.disconnect(sid)

    sio.start_background_task(throw_out)


run(sio)
