# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of python-engineio on aiohttp whose application refuses every client."""

import engineio  # type: ignore[import-not-found]  # is in the venv of the peer only
from on_aiohttp import run

eio = engineio.AsyncServer(async_mode="aiohttp")


@eio.on("connect")  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object) -> bool:
    print("LOG refused", flush=True)
    return False


run(eio)
