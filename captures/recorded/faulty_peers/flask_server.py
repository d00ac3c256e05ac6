# SPDX-License-Identifier: GPL-2.0-or-later
"""A Flask-SocketIO server in threading mode, on the development server of Werkzeug.

Its plan, the first argument, a JSON object: `options` for SocketIO.
"""

import json
import logging
import sys
from importlib import metadata
from typing import Any

from flask import Flask  # type: ignore[import-not-found]  # is in the venv of the peer only
from flask_socketio import SocketIO, emit  # type: ignore[import-not-found]

plan: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}

logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="LOG %(name)s: %(message)s")
app = Flask(__name__)
sio = SocketIO(app, async_mode="threading", **plan.get("options", {}))


@sio.on("connect")  # type: ignore[untyped-decorator]
def connect(auth: object = None) -> None:
    print("LOG connection", flush=True)


@sio.on("hello")  # type: ignore[untyped-decorator]
def hello(word: str) -> str:
    emit("greeting", f"{word} to you")
    return "well received"


print("LISTENING", flush=True)
# Newer versions want to be told that it is no deployment; older ones do not know the parameter.
told = {"allow_unsafe_werkzeug": True} if metadata.version("Flask-SocketIO") >= "5.3" else {}
sio.run(app, host="0.0.0.0", port=3000, **told)
