# SPDX-License-Identifier: GPL-2.0-or-later
"""An application for hypercorn, which speaks HTTP/2 in clear with prior knowledge and after `Upgrade: h2c`."""

from __future__ import annotations

from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer each request."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello\n"})
