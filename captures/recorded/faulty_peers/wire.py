# SPDX-License-Identifier: GPL-2.0-or-later
"""What a capture must show, in the words of tshark's display filters."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

FROM_CLIENT = "tcp.dstport == 3000"
FROM_SERVER = "tcp.srcport == 3000"


def client_says(pattern: str) -> str:
    """A WebSocket message of the client that matches."""
    return f'{FROM_CLIENT} && websocket.payload.text matches "{_quoted(pattern)}"'


def server_says(pattern: str) -> str:
    return f'{FROM_SERVER} && websocket.payload.text matches "{_quoted(pattern)}"'


def asks(text: str) -> str:
    """A GET whose URL contains the text."""
    return f'http.request.method == "GET" && http.request.uri contains "{_quoted(text)}"'


def posts(pattern: str) -> str:
    return f'http.request.method == "POST" && http.file_data matches "{_quoted(pattern)}"'


def answers(status: int, pattern: str = "") -> str:
    """A response with this status, and a body that matches."""
    body = f' && http.file_data matches "{_quoted(pattern)}"' if pattern else ""
    return f"{FROM_SERVER} && http.response.code == {status}{body}"


def server_tells(pattern: str) -> str:
    """A packet of the server over WebSocket or in the answer to a poll: an upgrade is a race."""
    return f"({server_says(pattern)}) || ({answers(200, pattern)})"


def closes(side: str, code: int | None = None) -> str:
    """A close frame of a side, with this code, or without any."""
    told = "payload_length == 0" if code is None else f"payload.close.status_code == {code}"
    return f"{side} && websocket.opcode == 8 && websocket.{told}"


def ends(side: str) -> str:
    return f"{side} && tcp.flags.fin == 1"


def resets(side: str) -> str:
    return f"{side} && tcp.flags.reset == 1"


def acknowledges_only(side: str) -> str:
    """A segment without data, which the kernel sends whatever its program does."""
    return f"{side} && tcp.len == 0 && tcp.flags.ack == 1 && tcp.flags.syn == 0"


def retransmits(side: str) -> str:
    return f"{side} && tcp.analysis.retransmission"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


# What is asked for, and what is said, in many recordings.
ASKS_POLLING = asks("EIO=4&transport=polling")
ASKS_WEBSOCKET = asks("EIO=4&transport=websocket")
ASKS_UPGRADE = asks("transport=websocket&sid=")
# With or without a session; a proxy may take the header away.
ASKS_WS = asks("transport=websocket")
ASKS_WS_WITH_HEADER = f"{ASKS_WS} && http.upgrade"
PROBES = client_says("^2probe$")
PROBE_ANSWERED = server_says("^3probe$")
CONFIRMS = client_says("^5$")
SESSION_UNKNOWN = answers(400, "Session ID unknown")


def matching(capture: Path, display_filter: str, decode_as: str = "http") -> list[int]:
    """The numbers of the captured packets that match."""
    # Without -d a client's port that some other protocol is known by would win (44322 is PCP's).
    argv = ["tshark", "-r", str(capture), "-d", f"tcp.port==3000,{decode_as}", "-Y", display_filter]
    argv += ["-T", "fields", "-e", "frame.number"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode and "cut short" not in done.stderr:
        raise ValueError(f"{display_filter}: {done.stderr.strip()}")
    return [int(number) for number in done.stdout.split()]


def prove(
    capture: Path,
    shows: Sequence[str],
    times: int = 1,
    lacks: Sequence[str] = (),
    decode_as: str = "http",
) -> list[int]:
    """The packets that show it all, in this order and so often; raises if the capture does not."""
    proof: list[int] = []
    found = {display_filter: matching(capture, display_filter, decode_as) for display_filter in shows}
    before = ""
    at = 0
    for display_filter in [*shows] * times:
        # One packet can hold two things, one after the other, but not the same thing twice.
        first = at + 1 if display_filter == before or display_filter == shows[0] else at
        number = next((n for n in found[display_filter] if n >= first), None)
        if number is None:
            raise ValueError(f"{capture.name}: no packet from {first} on shows {display_filter}")
        proof.append(number)
        before, at = display_filter, number
    for display_filter in lacks:
        if numbers := matching(capture, display_filter):
            raise ValueError(f"{capture.name}: packet {numbers[0]} should not be: {display_filter}")
    return sorted(set(proof))
