# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of python-engineio on aiohttp whose application refuses every client."""

import asyncio

import engineio  # type: ignore[import-not-found]  # is in the venv of the peer only
from aiohttp import web  # type: ignore[import-not-found]

eio = engineio.AsyncServer(async_mode="aiohttp")


@eio.on("connect")  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: object) -> bool:
    print("LOG refused", flush=True)
    return False


async def serve() -> None:
    app = web.Application()
    eio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=3000).start()
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


asyncio.run(serve())
