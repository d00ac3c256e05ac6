# SPDX-License-Identifier: GPL-2.0-or-later
"""The recordings of the variants that are made of peers; see derived.py for the others."""

from __future__ import annotations

from typing import Any

from variant_peers.browser import browse
from variant_peers.cast import (
    JSON_2,
    JSON_3,
    MSGPACK_2,
    MSGPACK_3,
    PYTHON_MSGPACK,
    SOCKETIO_1_0,
    WAYS,
    chromium,
    engine,
    node,
    python,
)
from variant_peers.recovery import recover
from variant_peers.stage import Peer, Scenario


def parsers() -> list[Scenario]:
    """Other parsers than the libraries' own. python-socketio has them since 5.0."""
    made = []
    for way in WAYS:
        made += [
            Scenario(
                "msgpack",
                node("4.8.4", MSGPACK_3),
                node("4.8.4", MSGPACK_3),
                way,
                f"socket.io-msgpack-parser 3 on both sides, {way}: each packet is one binary message",
            ),
            Scenario(
                "msgpack",
                node("2.5.1", MSGPACK_2),
                node("2.5.0", MSGPACK_2),
                way,
                f"socket.io-msgpack-parser 2 on both sides, {way}: CONNECT, DISCONNECT and ERROR are "
                "JSON text, events and acks msgpack, with the types of binary packets",
                engineio=3,
            ),
            Scenario(
                "msgpack",
                python("5.18.1", PYTHON_MSGPACK),
                python("5.18.1", PYTHON_MSGPACK),
                way,
                f"serializer='msgpack' on both sides, {way}",
            ),
        ]
    made += [
        Scenario(
            "msgpack",
            node("4.8.4", MSGPACK_3),
            python("5.18.1", PYTHON_MSGPACK),
            "upgrade",
            "a Python client with serializer='msgpack' on socket.io with its msgpack parser",
        ),
        Scenario(
            "msgpack",
            python("5.18.1", PYTHON_MSGPACK),
            node("4.8.4", MSGPACK_3),
            "websocket",
            "a Node client with the msgpack parser on python-socketio with serializer='msgpack'",
        ),
        Scenario(
            "json-parser",
            node("4.8.4", JSON_3),
            node("4.8.4", JSON_3),
            "upgrade",
            "socket.io-json-parser 3 on both sides: each packet is a JSON object as text",
            binary=False,
        ),
        Scenario(
            "json-parser",
            node("2.5.1", JSON_2),
            node("2.5.0", JSON_2),
            "polling",
            "socket.io-json-parser 2 on both sides: each packet is a JSON object as text",
            engineio=3,
            binary=False,
        ),
    ]
    for way in ("polling", "websocket"):
        made += [
            Scenario(
                "parser-mismatch",
                node("4.8.4"),
                node("4.8.4", MSGPACK_3),
                way,
                "the client has the msgpack parser, the server its own: it closes at the first packet",
                "msgpack-client",
                faulty=True,
            ),
            Scenario(
                "parser-mismatch",
                node("4.8.4", MSGPACK_3),
                node("4.8.4"),
                way,
                "the server has the msgpack parser, the client its own: it closes at the first packet",
                "msgpack-server",
                faulty=True,
            ),
        ]
    made += [
        Scenario(
            "parser-mismatch",
            node("2.5.1", MSGPACK_2),
            node("2.5.0"),
            "websocket",
            "the server of socket.io 2 has the msgpack parser, the client its own: what the server "
            "sends unasked, CONNECT as a JSON object, is an error to the client",
            "msgpack-server",
            engineio=3,
            faulty=True,
        ),
        Scenario(
            "parser-mismatch",
            python("5.18.1"),
            python("5.18.1", PYTHON_MSGPACK),
            "websocket",
            "a Python client with serializer='msgpack', the Python server without: no answer at all",
            "msgpack-client",
            faulty=True,
        ),
    ]
    return made


def base64s() -> list[Scenario]:
    """Clients that cannot take binary, or say so: `b64=1` in the query."""
    force = {"forceBase64": True}
    old_clients = {"allowEIO3": True}
    made = []
    for way in ("polling", "websocket"):
        for server, client, engineio, options in (
            (node("1.7.4"), node("1.7.4"), 3, {}),
            (node("2.5.1"), node("2.5.0"), 3, {}),
            (node("3.1.2"), node("3.1.3"), 4, {}),
            (node("4.8.4"), node("4.8.4"), 4, {}),
            (node("4.8.4"), node("2.5.0"), 3, old_clients),
            (python("4.6.1"), node("2.5.0"), 3, {}),
        ):
            made.append(
                Scenario(
                    "base64",
                    server,
                    client,
                    way,
                    f"forceBase64 in the client, {way}: b64=1, binary as base64 in both directions",
                    engineio=engineio,
                    server_options=options,
                    client_options=force,
                    more={"one_by_one": True} if server.kind == "python" else {},
                )
            )
    made.append(
        Scenario(
            "base64",
            node("2.5.1"),
            node("2.5.0"),
            "upgrade",
            "forceBase64 in the client, polling and then WebSocket",
            engineio=3,
            client_options=force,
        )
    )
    made.append(
        Scenario(
            "base64",
            node("4.8.4", MSGPACK_3),
            node("4.8.4", MSGPACK_3),
            "upgrade",
            "forceBase64 in the client with the msgpack parser: every packet is base64",
            "msgpack",
            client_options=force,
        )
    )
    made.append(
        Scenario(
            "payload-length",
            python("4.6.1"),
            node("2.5.0"),
            "polling",
            "several packets with emoji in one payload: the client counts UTF-16 units, "
            "python-engineio 3 reads code points, loses its place and answers 400",
            engineio=3,
            faulty=True,
            client_options=force,
        )
    )
    return made


def browsers() -> list[Scenario]:
    """Pages in Chromium: JSONP, which needs one, and the other transports of browsers."""
    jsonp = {"forceJSONP": True}
    old_clients = {"allowEIO3": True}
    # Of 3.1 the client still knows JSONP, as the last one, with revision 4.
    pairs: list[tuple[Peer, str, int, dict[str, Any]]] = [
        (node("1.7.4"), "1.7.4", 3, {}),
        (node("2.5.1"), "2.5.0", 3, {}),
        (node("4.8.4"), "2.5.0", 3, old_clients),
        (node("4.8.4"), "3.1.3", 4, {}),
    ]
    made = [
        Scenario(
            "jsonp",
            server,
            chromium(version),
            "polling",
            "forceJSONP: scripts that call ___eio[j], form posts of d=",
            play=browse,
            engineio=engineio,
            server_options=options,
            client_options=jsonp,
        )
        for server, version, engineio, options in pairs
    ]
    made += [
        Scenario(
            "jsonp",
            python("4.6.1"),
            chromium("2.5.0"),
            "polling",
            "forceJSONP: python-socketio 4 takes what forms post and never answers the events in it",
            play=browse,
            faulty=True,
            engineio=3,
            server_options={"cors_allowed_origins": "*"},
            client_options=jsonp,
            more={"one_by_one": True},
        ),
        Scenario(
            "browser",
            node("4.8.4"),
            chromium("4.8.4"),
            "upgrade",
            "a page with socket.io-client 4.8.4",
            play=browse,
            server_options={"cors": {"origin": "*"}},
        ),
        Scenario(
            "browser",
            node("2.5.1"),
            chromium("2.5.0"),
            "upgrade",
            "a page with socket.io-client 2.5.0",
            play=browse,
            engineio=3,
        ),
        Scenario(
            "browser",
            node("2.5.1"),
            chromium("2.5.0"),
            "polling",
            "a page with socket.io-client 2.5.0: binary payloads of XHR2 in both directions",
            play=browse,
            engineio=3,
        ),
        Scenario(
            "browser",
            node("1.7.4"),
            chromium("1.7.4"),
            "polling",
            "a page with socket.io-client 1.7.4: binary payloads of XHR2 in both directions",
            play=browse,
            engineio=3,
        ),
    ]
    return made


def recoveries() -> list[Scenario]:
    """Connection state recovery: after the network was cut, and after the server closed."""

    def recovery(variant: str, what: str, way: str = "websocket", keep_ms: int = 60_000, **more: Any) -> Scenario:
        return Scenario(
            "recovery",
            node("4.8.4"),
            node("4.8.4"),
            way,
            what,
            variant,
            play=recover,
            server_options={
                "pingInterval": 400,
                "pingTimeout": 500,
                "connectionStateRecovery": {"maxDisconnectionDuration": keep_ms},
            },
            client_options={"reconnectionDelay": 200, "reconnectionDelayMax": 400, "timeout": 800},
            more={"news_before": True, "lost_by": "cut", **more},
        )

    return [
        recovery(
            "recovered",
            "the network was cut; the client sends pid and offset and gets the same sid and pid, "
            "and before that the events that it missed",
            recovered=True,
        ),
        recovery(
            "too-late",
            "the network was cut for longer than the server keeps the state; pid and offset are "
            "sent, another sid and pid come back",
            keep_ms=500,
            wait_s=1.0,
            recovered=False,
        ),
        recovery(
            "restarted",
            "the network was cut and the server restarted: it knows neither pid nor offset",
            lost_by="restart",
            recovered=False,
        ),
        recovery(
            "no-offset",
            "the network was cut before the client got an event: it has a pid, but no offset",
            news_before=False,
            recovered=False,
        ),
        recovery(
            "closed",
            "the server closed the transport after the upgrade; recovered over polling",
            "upgrade",
            lost_by="close",
            recovered=True,
        ),
    ]


def old_ones() -> list[Scenario]:
    """Revisions 1 and 2 of Engine.IO, and Socket.IO 1.0 and 1.3."""
    made = []
    for way in WAYS:
        made.append(
            Scenario(
                "engine",
                engine("0.4.3"),
                engine("0.4.3"),
                way,
                f"Engine.IO revision 1 without Socket.IO, {way}: text only",
                engineio=1,
                truth="eio_truth",
                binary=False,
                client_options={"upgrade": way == "upgrade"},
                more={"upgrades": way == "upgrade"},
            )
        )
        made.append(
            Scenario(
                "old",
                node("1.0.6"),
                node("1.0.6"),
                way,
                f"socket.io 1.0, {way}: text is UTF-8 encoded twice also over WebSocket",
                engineio=3,
                more=SOCKETIO_1_0,
            )
        )
        made.append(
            Scenario(
                "old",
                node("1.3.7"),
                node("1.3.7"),
                way,
                f"socket.io 1.3, {way}",
                engineio=3,
            )
        )
    made += [
        Scenario(
            "old",
            node("1.0.6"),
            chromium("1.0.6"),
            way,
            f"a page with socket.io-client 1.0, {way}: EIO=2",
            play=browse,
            engineio=2,
            more=SOCKETIO_1_0,
        )
        for way in ("polling", "upgrade")
    ]
    made += [
        Scenario(
            "jsonp",
            node(version),
            chromium(version),
            "polling",
            f"a page with socket.io-client {version} and forceJSONP",
            play=browse,
            engineio=engineio,
            client_options={"forceJSONP": True},
        )
        for version, engineio in (("1.3.7", 3),)
    ]
    return made


def engines() -> list[Scenario]:
    """Plain applications on Engine.IO, text and binary."""
    made = []
    for way in WAYS:
        for version, client, engineio in (("6.6.12", "6.6.8", 4), ("3.6.2", "3.5.6", 3)):
            made.append(
                Scenario(
                    "engine",
                    engine(version),
                    engine(client),
                    way,
                    f"Engine.IO without Socket.IO, {way}: text and binary messages, empty ones too",
                    truth="eio_truth",
                    engineio=engineio,
                    client_options={"upgrade": way == "upgrade"},
                    more={"upgrades": way == "upgrade"},
                )
            )
    return made


def namespaces() -> list[Scenario]:
    """Several namespaces over one connection: queries, auth, implicit connect, refusals."""
    made = []
    for server, client, engineio, options in (
        ("1.7.4", "1.7.4", 3, {}),
        ("2.5.1", "2.5.0", 3, {}),
        ("3.0.5", "3.0.5", 4, {}),
        ("4.8.4", "2.5.0", 3, {"allowEIO3": True}),
        ("4.8.4", "4.8.4", 4, {}),
    ):
        for way in ("polling", "websocket"):
            if engineio == 4 and way == "websocket":
                continue
            made.append(
                Scenario(
                    "namespaces",
                    node(server, play="namespaces_"),
                    node(client, play="namespaces_"),
                    way,
                    "several namespaces over one connection, one with a query (auth from 3.0 on), one "
                    "whose middleware refuses, one that does not exist",
                    engineio=engineio,
                    server_options=options,
                    # Up to 2.x the server looks for the name as its URL parser escapes it.
                    more={"long_name": "/긴 이름/with" if engineio == 4 else "/a/long.name_1"},
                )
            )
    return made


def version_0_9() -> list[Scenario]:
    """Socket.IO 0.9, which had transports and packets of its own."""
    server, client = node("0.9.19", play="v09_"), node("0.9.17", play="v09_")
    made = [
        Scenario(
            "v0.9",
            server,
            client,
            way,
            f"socket.io 0.9, {way}: events, acks, text and JSON messages, a namespace, heartbeats",
            engineio=0,
            truth="v09_truth",
            more={"heartbeats": 2 if way == "websocket" else 0},  # polls show that one is alive
        )
        for way in ("websocket", "xhr-polling")
    ]
    made.append(
        Scenario(
            "v0.9",
            node("4.8.4"),
            client,
            "websocket",
            "a client of socket.io 0.9 on 4.8: its handshake is refused with 400 transport unknown",
            "refused",
            engineio=0,
            faulty=True,
        )
    )
    return made


RECORDED = [
    *parsers(),
    *base64s(),
    *recoveries(),
    *browsers(),
    *old_ones(),
    *engines(),
    *namespaces(),
    *version_0_9(),
]
