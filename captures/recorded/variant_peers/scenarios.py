# SPDX-License-Identifier: GPL-2.0-or-later
"""All recordings of the variants."""

from __future__ import annotations

from variant_peers.stage import Peer, Scenario

WAYS = ("polling", "websocket", "upgrade")
MSGPACK_2, MSGPACK_3 = "socket.io-msgpack-parser@2.2.1", "socket.io-msgpack-parser@3.0.2"
JSON_2, JSON_3 = "socket.io-json-parser@2.1.1", "socket.io-json-parser@3.0.0"
PYTHON_MSGPACK = "msgpack==1.1.2"


def node(version: str, parser: str = "") -> Peer:
    return Peer("node", version, parser)


def python(version: str, parser: str = "") -> Peer:
    return Peer("python", version, parser)


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


SCENARIOS = parsers()
