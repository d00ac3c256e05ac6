# SPDX-License-Identifier: GPL-2.0-or-later
"""The server of the healthy recordings, for python-socketio 4 and 5 on aiohttp."""

from __future__ import annotations

import asyncio
from typing import Any

import socketio  # type: ignore[import-not-found]  # of the peer's own venv, as aiohttp
from aiohttp import web  # type: ignore[import-not-found]
from healthy_common import blob, config, log_packets, report, utf16_length


def serve(sio: Any, namespace: str) -> None:
    async def hello(sid: str, text: str) -> str:
        return text

    async def note(sid: str, content: Any) -> None:
        pass

    async def ask_back(sid: str) -> Any:
        return await sio.call("question", "이름이 뭐예요? 🙋", to=sid, namespace=namespace)

    async def picture(sid: str, content: dict[str, Any]) -> dict[str, Any]:
        return {"bytes": len(content["pixels"]), "thumb": blob(300)}

    async def send_frames(sid: str) -> int:
        frames = ([blob(256), blob(1)], {"last": blob(1500)})
        return len(await sio.call("frames", frames, to=sid, namespace=namespace))

    async def take_report(sid: str, text: str) -> int:
        return utf16_length(text)

    async def send_report(sid: str) -> Any:
        text = report(config["report"])
        return await sio.call("report", text, to=sid, namespace=namespace)

    sio.on("hello", hello, namespace=namespace)
    sio.on("note", note, namespace=namespace)
    sio.on("ask back", ask_back, namespace=namespace)
    sio.on("picture", picture, namespace=namespace)
    sio.on("send frames", send_frames, namespace=namespace)
    sio.on("report", take_report, namespace=namespace)
    sio.on("send report", send_report, namespace=namespace)


@web.middleware  # type: ignore[untyped-decorator]
async def whole_body(request: web.Request, handler: Any) -> web.StreamResponse:
    """python-engineio takes as the whole body of a POST what aiohttp has got of it so far."""
    await request.content.wait_eof()
    response: web.StreamResponse = await handler(request)
    return response


def mend_python_4() -> None:
    """python-socketio 4 gives coroutines to `asyncio.wait`, which takes none since Python 3.11."""
    wait = asyncio.wait

    async def wait_for_tasks(what: Any, **options: Any) -> Any:
        return await wait([asyncio.ensure_future(each) for each in what], **options)

    asyncio.wait = wait_for_tasks  # type: ignore[assignment]


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
