# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of python-socketio or Flask-SocketIO, of whatever version this interpreter holds.

Its plan, the first argument, a JSON object: `on`, what serves it ("tornado", "uvicorn", "eventlet", "gevent",
"werkzeug"), `flask`, whether Flask-SocketIO is in between, and `options` for the server.
"""

import asyncio
import json
import sys
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only, as what it is served by

plan: dict[str, Any] = json.loads(sys.argv[1])
on: str = plan["on"]
options: dict[str, Any] = plan.get("options", {})
PORT = 3000


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def flask() -> None:
    from flask import Flask, request  # type: ignore[import-not-found]
    from flask_socketio import SocketIO, emit  # type: ignore[import-not-found]

    mode = {"werkzeug": "threading"}.get(on, on)
    app = Flask("peer")
    sio = SocketIO(app, async_mode=mode, **options)

    @sio.on("hello")  # type: ignore[untyped-decorator]
    def hello(word: str) -> str:
        log("event hello", word)
        emit("greeting", f"{word} to you", to=request.sid)
        return "well received"

    print("LISTENING", flush=True)
    more = {"allow_unsafe_werkzeug": True} if on == "werkzeug" else {}
    sio.run(app, "0.0.0.0", PORT, **more)


def asynchronous() -> None:
    mode = {"uvicorn": "asgi"}.get(on, on)
    sio = socketio.AsyncServer(async_mode=mode, **options)

    async def hello(sid: str, word: str) -> str:
        log("event hello", word)
        await sio.emit("greeting", f"{word} to you", to=sid)
        return "well received"

    sio.on("hello", hello)
    if on == "uvicorn":
        import uvicorn  # type: ignore[import-not-found]

        print("LISTENING", flush=True)
        uvicorn.run(socketio.ASGIApp(sio), host="0.0.0.0", port=PORT, log_level="warning")
        return
    import tornado.web  # type: ignore[import-not-found]

    async def serve() -> None:
        tornado.web.Application([("/socket.io/", socketio.get_tornado_handler(sio))]).listen(PORT)
        print("LISTENING", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


def synchronous() -> None:
    sio = socketio.Server(async_mode=on, **options)

    def hello(sid: str, word: str) -> str:
        log("event hello", word)
        sio.emit("greeting", f"{word} to you", to=sid)
        return "well received"

    sio.on("hello", hello)
    app = socketio.WSGIApp(sio)
    print("LISTENING", flush=True)
    if on == "eventlet":
        import eventlet  # type: ignore[import-not-found]

        eventlet.wsgi.server(eventlet.listen(("0.0.0.0", PORT)), app, log_output=False)
    else:
        from gevent.pywsgi import WSGIServer  # type: ignore[import-not-found]
        from geventwebsocket.handler import WebSocketHandler  # type: ignore[import-not-found]

        WSGIServer(("0.0.0.0", PORT), app, log=None, handler_class=WebSocketHandler).serve_forever()


if plan.get("flask"):
    flask()
elif on in ("tornado", "uvicorn"):
    asynchronous()
else:
    synchronous()
