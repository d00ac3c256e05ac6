"""What the JSON of CONNECT and CONNECT_ERROR packets says (Socket.IO protocol, revisions 4 and 5)."""

from typing import Any, NamedTuple

import msgspec

_MAX_JSON = 64 << 10
_MAX_KEYS = 32
_MAX_TEXT = 300


class ConnectDetails(NamedTuple):
    """`sid` is the socket id that the server gave; `keys` the names of the fields (of the client: its auth object)."""

    sid: str | None
    keys: tuple[str, ...]


def connect_details(data: bytes) -> ConnectDetails:
    """Read the JSON of a CONNECT packet (either side's); tolerant of anything."""
    fields = _parse(data)
    if not isinstance(fields, dict):
        return ConnectDetails(None, ())
    sid = fields.get("sid")
    return ConnectDetails(sid[:_MAX_TEXT] if isinstance(sid, str) else None, tuple(fields)[:_MAX_KEYS])


def error_message(data: bytes) -> str:
    """The message of a CONNECT_ERROR: an object with `message` (revision 5) or a string (revision 4)."""
    value = _parse(data)
    if isinstance(value, dict):
        value = value.get("message")
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _parse(data: bytes) -> Any:
    if not data or len(data) > _MAX_JSON:
        return None
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
