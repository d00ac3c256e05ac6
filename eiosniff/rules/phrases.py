"""Words that several rules put a fact into."""

from eiosniff.model.session import CloseHow, Closing

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
# A server that objects closes at once; what comes later has another cause.
CLOSED_BECAUSE_NS = NS_PER_S
_QUOTED = 40


def in_ms(duration_ns: int) -> str:
    """A short duration: `<0.1 ms`, `0.8 ms`, `12 ms`, `1.5 s`."""
    milliseconds = duration_ns / NS_PER_MS
    if milliseconds < 0.05:
        return "<0.1 ms" if duration_ns > 0 else "0 ms"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def in_bytes(count: float) -> str:
    """A number of bytes: `640 bytes`, `1.2 kB`, `3.4 MB`."""
    if count < 1000:
        return f"{count:.0f} bytes"
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def closing_words(closing: Closing) -> str:
    """How a session was closed: `closes, no status code`."""
    if closing.how is CloseHow.WS_CLOSE:
        if closing.code is None:
            return "closes, no status code"
        reason = f' "{closing.reason}"' if closing.reason else ""
        return f"closes, code {closing.code}{reason}"
    return {
        CloseHow.WT_CLOSE: "closes the WebTransport session",
        CloseHow.EIO_CLOSE: 'closes (Engine.IO "1")',
        CloseHow.FIN: "closes the connection (FIN)",
        CloseHow.RST: "resets the connection (RST)",
        CloseHow.UNSEEN: "ends the WebSocket, as it seems (a HAR does not tell who)",
        CloseHow.DISCONNECT: 'leaves the last namespace (Socket.IO "41")',
    }[closing.how]


def capital(text: str) -> str:
    """A text with a capital at its beginning; all else as it is."""
    return text[:1].upper() + text[1:]


def quoted(text: bytes) -> str:
    """The beginning of what a peer said, in quotation marks; bytes that are no text as escapes."""
    cut = len(text) > _QUOTED
    end = _QUOTED
    while cut and end > _QUOTED - 4 and text[end] & 0xC0 == 0x80:  # not half a character
        end -= 1
    return f'"{text[:end].decode("utf-8", "backslashreplace")}{"..." if cut else ""}"'
