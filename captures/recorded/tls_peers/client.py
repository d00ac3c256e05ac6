# SPDX-License-Identifier: GPL-2.0-or-later
"""A python-socketio client that keeps its keys: client.py PLAN, {"url", "ca", "keylog", "stay": s}."""

import asyncio
import json
import ssl
import sys

import aiohttp
import socketio

PLAN = json.loads(sys.argv[1])


async def main() -> None:
    options = {}
    if PLAN.get("ca"):
        context = ssl.create_default_context(cafile=PLAN["ca"])
        context.keylog_filename = PLAN["keylog"]
        options["ssl"] = context
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(**options)) as http:
        client = socketio.AsyncClient(http_session=http, reconnection=False)
        greeted = asyncio.Event()
        client.on("hello", lambda _: greeted.set())
        await client.connect(PLAN["url"])
        await asyncio.wait_for(greeted.wait(), 5)
        print("LOG sum", await client.call("add", (2, 3)), flush=True)
        await client.emit("bytes", bytes([1, 2, 3]))
        await asyncio.sleep(PLAN.get("stay", 1.5))
        await client.disconnect()


asyncio.run(main())
