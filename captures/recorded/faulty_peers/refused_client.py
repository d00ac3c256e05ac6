# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of python-socketio that tries to get in, `attempts` times, a second apart.

The plan, the first argument, a JSON object: `url`, `options` for `connect`, `attempts`, `life_s`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import socketio  # type: ignore[import-not-found]  # is in the venv of the peer only

plan: dict[str, Any] = json.loads(sys.argv[1])


def once() -> None:
    sio = socketio.Client(reconnection=False)
    try:
        sio.connect(plan["url"], **plan.get("options", {}))
    except Exception as error:
        print("LOG connect failed:", error, flush=True)
        return
    print("LOG connected", flush=True)
    time.sleep(plan.get("life_s", 1))
    sio.disconnect()


for attempt in range(plan["attempts"]):
    if attempt:
        time.sleep(1)
    once()
