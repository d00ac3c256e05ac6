# SPDX-License-Identifier: GPL-2.0-or-later
"""The recordings of the variants that are made from others, see damage.py."""

from __future__ import annotations

from typing import Any

from variant_peers.cast import MSGPACK_3, chromium, node, python
from variant_peers.damage import DAMAGES, begin_late, damage
from variant_peers.stage import Peer, Scenario


def damaged() -> list[Scenario]:
    """Real recordings, with a part of them missing or in disorder."""
    sources = (
        ("msgpack", node("4.8.4", MSGPACK_3), node("4.8.4", MSGPACK_3), "upgrade", 4),
        ("namespaces", node("4.8.4"), node("4.8.4"), "polling", 4),
        ("browser", node("2.5.1"), chromium("2.5.0"), "upgrade", 3),
    )
    what = {
        "lost": "6 % of the segments with data are missing",
        "reordered": "segments sent within 5 ms are in another order",
        "duplicated": "a third of the packets is there twice",
        "snaplen-96": "only the first 96 bytes of each packet",
        "snaplen-300": "only the first 300 bytes of each packet",
        "client-only": "only what the client sent",
        "server-only": "only what the server sent",
        "stopped": "the file ends in the middle of a packet, after two thirds",
    }
    return [
        Scenario(
            f"damaged-{group}",
            server,
            client,
            way,
            f"{what[kind]}; made from {group}--{server}--{client}--{way}",
            kind,
            play=damage,
            derived=True,
            engineio=engineio,
            more={"source": f"variants/{group}--{server}--{client}--{way}.pcap"},
        )
        for group, server, client, way, engineio in sources
        for kind in DAMAGES
        # No two segments of that one follow each other without an answer in between.
        if (group, kind) != ("namespaces", "reordered")
    ]


def late_starts() -> list[Scenario]:
    """Recordings that begin in the middle of a session."""

    def late(
        source: str,
        server: Peer,
        client: Peer,
        way: str,
        place: str,
        what: str,
        engineio: int = 4,
        truth: str = "truth",
        **more: Any,
    ) -> Scenario:
        folder, name = source.split("/")
        variant = place + {True: "-server-only", False: "-client-only", None: ""}[more.get("from_server")]
        group = name.split("--")[0] if folder == "variants" else "healthy"
        return Scenario(
            f"late-{group}" + ("-deflate" if "deflate" in name else ""),
            server,
            client,
            way,
            f"begins {what}; made from {name}",
            variant,
            play=begin_late,
            derived=True,
            engineio=engineio,
            truth=truth,
            more={"source": f"{source}.pcap{'.gz' if group == 'healthy' else ''}", "place": place, **more},
        )

    two = (node("2.5.1"), node("2.5.0"), "websocket")
    old = ("variants/namespaces--node-2.5.1--node-2.5.0--websocket", *two)
    new = ("healthy/node-4.8.4--node-4.8.4--websocket", node("4.8.4"), node("4.8.4"), "websocket")
    python_ = ("healthy/python-5.18.1--python-5.18.1--websocket", python("5.18.1"), python("5.18.1"))
    packed = ("variants/msgpack--node-4.8.4--node-4.8.4--websocket", new[1], new[2], "websocket")
    between = "between frames of a WebSocket whose handshake is missing"
    made = [
        late(*old, "late", between, 3),
        late(*old, "late", f"{between}, only what the client sent", 3, from_server=False),
        late(*old, "late", f"{between}, only what the server sent", 3, from_server=True),
        late(*new, "quiet", between),
        late(*new, "frame", "in the middle of a frame of the server, behind its header"),
        late(*python_, "websocket", "quiet", between),
        late(*packed, "half", f"{between}, with msgpack packets", truth="atmost_truth"),
        late(
            "variants/msgpack--node-2.5.1--node-2.5.0--websocket",
            *two,
            "half",
            f"{between}, with packets as JSON and as msgpack, binary with a type byte",
            3,
            truth="atmost_truth",
        ),
        late(
            "variants/old--node-1.3.7--node-1.3.7--websocket",
            node("1.3.7"),
            node("1.3.7"),
            "websocket",
            "half",
            f"{between}, with base64 from the client and type bytes from the server",
            3,
            truth="atmost_truth",
        ),
        late(
            "variants/namespaces--node-4.8.4--node-4.8.4--polling",
            node("4.8.4"),
            node("4.8.4"),
            "polling",
            "poll",
            "between polls: only sid tells whose they are",
        ),
        late(
            "healthy/node-2.5.1--node-2.5.0--polling",
            node("2.5.1"),
            node("2.5.0"),
            "polling",
            "poll",
            "in the middle of polling: only sid tells whose they are",
            3,
            truth="atmost_truth",
        ),
    ]
    for name, server, client, engineio in (
        ("node-2.5.1--node-2.5.0--websocket-deflate", node("2.5.1"), node("2.5.0"), 3),
        ("node-4.8.4--node-4.8.4--websocket-deflate-no-takeover", new[1], new[2], 4),
    ):
        made.append(
            late(
                f"healthy/{name}",
                server,
                client,
                "websocket",
                "late",
                f"{between}, permessage-deflate without what went before",
                engineio,
                truth="atmost_truth",
            )
        )
    return made


DERIVED = [*damaged(), *late_starts()]
