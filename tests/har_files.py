"""HAR files as tests write them: entries of Chrome by default."""

import base64
import json
from collections.abc import Sequence
from typing import Any

STARTED = "2026-11-26T10:05:50"
BASE_S = 1_795_687_550  # the same instant
URL = "http://chat.example:3000/socket.io/?EIO=4&transport="
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
OPEN = '0{"sid":"sid-of-test-1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
SID = "&sid=sid-of-test-1"


def started(ms: float) -> str:
    """`startedDateTime`, so many ms after `STARTED`; like Chrome, rounded down."""
    assert 0 <= ms < 10_000
    return f"{STARTED[:-2]}{50 + int(ms) // 1000:02d}.{int(ms) % 1000:03d}Z"


def poll(ms: float, text: str | None, *, sid: str = SID, took: float = 5, **more: Any) -> dict[str, Any]:
    """A GET that is answered with a text; `more` goes into the response."""
    content = {"size": len(text or ""), "mimeType": "text/plain"} | ({} if text is None else {"text": text})
    return {
        "startedDateTime": started(ms),
        "time": took,
        "timings": {"blocked": 0, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": took, "receive": 0},
        "request": {
            "method": "GET",
            "url": f"{URL}polling{sid}",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "User-Agent", "value": AGENT}],
            "headersSize": 100,
            "bodySize": 0,
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Content-Type", "value": "text/plain; charset=UTF-8"}],
            "content": content,
            "headersSize": 100,
            "bodySize": len(text or ""),
            "_error": None,
        }
        | more,
        "_resourceType": "xhr",
    }


def post(ms: float, text: str, *, took: float = 3) -> dict[str, Any]:
    """A POST, which is answered with "ok"."""
    entry = poll(ms, "ok", took=took)
    entry["request"] |= {
        "method": "POST",
        "bodySize": len(text),
        "postData": {"mimeType": "text/plain;charset=UTF-8", "text": text},
    }
    return entry


def websocket(
    ms: float, messages: Sequence[tuple[str, float, str | bytes]] | None, *, sid: str = SID, closed: float | None = None
) -> dict[str, Any]:
    """A WebSocket with messages: (who, ms, text or bytes). `closed` is how long after the last one it ends."""
    entry = poll(ms, None, sid=sid, status=101, statusText="Switching Protocols")
    entry["request"]["url"] = entry["request"]["url"].replace("http:", "ws:").replace("polling", "websocket")
    entry["_resourceType"] = "websocket"
    if messages is None:
        return entry
    entry["_webSocketMessages"] = [
        {
            "type": {"C": "send", "S": "receive"}.get(who, who),
            "time": BASE_S + at / 1000,
            "opcode": 2 if isinstance(data, bytes) else 1,
            "data": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
        }
        for who, at, data in messages
    ]
    last = max((at for _, at, _ in messages), default=ms) - ms
    entry["time"] = last + (closed or 0)
    entry["timings"] |= {"wait": last, "receive": closed or 0}
    return entry


def har(*entries: Any, creator: str = "WebInspector") -> bytes:
    """The file."""
    log = {"version": "1.2", "creator": {"name": creator, "version": "1"}, "pages": [], "entries": list(entries)}
    return json.dumps({"log": log}, indent=2).encode()


def session() -> list[dict[str, Any]]:
    """Polling, an upgrade, an event with an acknowledgement, a binary event, a goodbye."""
    return [
        poll(0, OPEN, sid=""),
        post(10, "40"),
        poll(10, '40{"sid":"socket-1"}'),
        websocket(
            20,
            [
                ("C", 22, "2probe"), ("S", 24, "3probe"), ("C", 31, "5"),
                ("C", 40, '420["ask",1]'), ("S", 42, "430[2]"),
                ("C", 50, '451-["bytes",{"_placeholder":true,"num":0}]'), ("C", 51, b"\x01\x02"), ("C", 900, "41"),
            ],
            closed=4,
        ),
        poll(21, "6", took=9),
    ]  # fmt: skip
