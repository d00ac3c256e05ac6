# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a server of python-socketio or python-engineio on aiohttp, until it is killed."""

import asyncio
from typing import Any

from aiohttp import web  # type: ignore[import-not-found]  # is in the venv of the peer only


def run(server: Any, path: str | None = None, port: int = 3000) -> None:
    """Serve under a path (the server's own default if it is None), and say when it listens."""
    asyncio.run(_serve(server, path, port))


async def _serve(server: Any, path: str | None, port: int) -> None:
    app = web.Application()
    server.attach(app, *([] if path is None else [path]))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    print("LISTENING", flush=True)
    await asyncio.Event().wait()
