# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python server of the variants, for python-socketio 4 and 5 on aiohttp."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import socketio  # type: ignore[import-not-found]  # of the peer's own venv, as aiohttp
from aiohttp import web  # type: ignore[import-not-found]
from common import log_packets
from healthy_common import blob, config
from healthy_server import mend_python_4, whole_body


def serve(sio: Any, namespace: str) -> None:
    async def hello(sid: str, text: str) -> str:
        return text

    async def values(sid: str, content: Any) -> None:
        pass

    async def ask_back(sid: str) -> Any:
        return await sio.call("question", "이름이 뭐예요? 🙋", to=sid, namespace=namespace)

    async def picture(sid: str, content: dict[str, Any]) -> dict[str, Any]:
        return {"bytes": len(content["pixels"]), "thumb": blob(100)}

    async def send_frames(sid: str) -> int:
        frames = ([blob(256), blob(1)], {"last": blob(400)})
        return len(await sio.call("frames", frames, to=sid, namespace=namespace))

    sio.on("hello", hello, namespace=namespace)
    sio.on("values", values, namespace=namespace)
    sio.on("ask back", ask_back, namespace=namespace)
    sio.on("picture", picture, namespace=namespace)
    sio.on("send frames", send_frames, namespace=namespace)


async def main() -> None:
    mend_python_4()
    log_packets()
    sio = socketio.AsyncServer(async_mode="aiohttp", **config["options"])
    serve(sio, "/")
    serve(sio, "/admin")
    app = web.Application(middlewares=[whole_body])
    sio.attach(app, socketio_path=config["path"])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, port=config["port"]).start()
    print("LISTENING", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
