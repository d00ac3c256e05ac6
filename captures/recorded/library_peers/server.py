# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of python-socketio or Flask-SocketIO, of whatever version this interpreter holds.

Its plan, the first argument, a JSON object: `on`, what serves it ("tornado", "uvicorn", "eventlet", "gevent",
"werkzeug"), `flask`, whether Flask-SocketIO is in between, and `options` for the server.
"""

import asyncio
import json
import sys
from importlib import import_module
from typing import Any

# Is in the venv of the peer only, as is what it is served by, which is imported where it is known.
import socketio  # type: ignore[import-not-found]

plan: dict[str, Any] = json.loads(sys.argv[1])
on: str = plan["on"]
options: dict[str, Any] = plan.get("options", {})
PORT = 3000


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def flask() -> None:
    web, extension = import_module("flask"), import_module("flask_socketio")
    mode = {"werkzeug": "threading"}.get(on, on)
    app = web.Flask("peer")
    sio = extension.SocketIO(app, async_mode=mode, **options)

    @sio.on("hello")  # type: ignore[untyped-decorator]
    def hello(word: str) -> str:
        log("event hello", word)
        extension.emit("greeting", f"{word} to you", to=web.request.sid)
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
        print("LISTENING", flush=True)
        import_module("uvicorn").run(socketio.ASGIApp(sio), host="0.0.0.0", port=PORT, log_level="warning")
        return

    async def serve() -> None:
        import_module("tornado.web").Application([("/socket.io/", socketio.get_tornado_handler(sio))]).listen(PORT)
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
        eventlet = import_module("eventlet")
        import_module("eventlet.wsgi").server(eventlet.listen(("0.0.0.0", PORT)), app, log_output=False)
    else:
        handler = import_module("geventwebsocket.handler").WebSocketHandler
        server = import_module("gevent.pywsgi").WSGIServer(("0.0.0.0", PORT), app, log=None, handler_class=handler)
        server.serve_forever()


if plan.get("flask"):
    flask()
elif on in ("tornado", "uvicorn"):
    asynchronous()
else:
    synchronous()
