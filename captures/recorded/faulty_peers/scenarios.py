# SPDX-License-Identifier: GPL-2.0-or-later
"""All recordings, of all themes."""

from __future__ import annotations

from faulty_peers import (
    connects,
    handshakes,
    heartbeats,
    heartbeats_more,
    messages,
    quality,
    reconnects,
    refusals,
    sessions,
    upgrade_frames,
    upgrades_http,
    upgrades_ws,
)

RECORDINGS = [
    *handshakes.RECORDINGS,
    *messages.RECORDINGS,
    *connects.RECORDINGS,
    *heartbeats.RECORDINGS,
    *heartbeats_more.RECORDINGS,
    *reconnects.RECORDINGS,
    *upgrades_ws.RECORDINGS,
    *upgrade_frames.RECORDINGS,
    *upgrades_http.RECORDINGS,
    *sessions.RECORDINGS,
    *refusals.RECORDINGS,
    *quality.RECORDINGS,
]
