# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that the server throws out, that come back to a server which has forgotten them, and what others can read."""

from __future__ import annotations

from dataclasses import replace

from lab import DEVICE

from faulty_peers.namespaces import NAMESPACES_4, VISITOR_4
from faulty_peers.peers import PYTHON_5, Peer
from faulty_peers.plans import URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import client_says, server_says

KICK = Rule("server-kick-no-reconnect", "SIO056")
RECOVERY = Rule("recovery-failed", "SIO066")
ADMIN_UI = Rule("admin-ui-exposed", "SIO123")
PID_LEAK = Rule("private-pid-leak", "SIO124")

THROWS_OUT_PYTHON = replace(PYTHON_5, script="namespace_server.py")
ADMIN = Peer("socket.io", "4.8.4", "namespace_server.js", ("socket.io@4.8.4", "@socket.io/admin-ui@0.5.1"))

# Addresses that are set apart for examples, and are of no private network (RFC 5737).
PUBLIC_CLIENT, PUBLIC_SERVER = "203.0.113.1", "203.0.113.2"
PUBLIC_URL = f"http://{PUBLIC_SERVER}:3000"


def _in_public(stage: Stage) -> None:
    """The whole visit, between two hosts with public addresses."""
    stage.lab.run_ip("client", ["address", "add", f"{PUBLIC_CLIENT}/24", "dev", DEVICE])
    stage.lab.run_ip("server", ["address", "add", f"{PUBLIC_SERVER}/24", "dev", DEVICE])
    stage.whole_visit()


_VISIT = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnectionDelay": 200}}
_TWICE = {"afterMs": 50, "times": 99}

_KICKS = [
    Recording(
        KICK,
        "v4-server",
        NAMESPACES_4,
        VISITOR_4,
        "The server lets the client in and disconnects it 50 ms later; the client does not come back.",
        [server_says("^40{"), server_says("^41$")],
        lacks=[client_says("^41")],
        serve={"throwOut": _TWICE},
        visit={**_VISIT, "lifeMs": 2500},
    ),
    Recording(
        KICK,
        "v4-server-one-of-two",
        NAMESPACES_4,
        VISITOR_4,
        "The client is disconnected from /chat and keeps the main namespace.",
        [server_says("^40/chat,{"), server_says("^41/chat,"), client_says("^41")],
        serve={"namespaces": ["/chat"], "throwOut": {"afterMs": 50, "times": 1}},
        visit={**_VISIT, "namespaces": ["/chat", ""], "lifeMs": 1500},
    ),
    Recording(
        KICK,
        "python5-server",
        THROWS_OUT_PYTHON,
        VISITOR_4,
        "python-socketio disconnects the client 0.1 s after it has come; it does not come back.",
        [server_says("^40{"), server_says("^41")],
        serve={"throwOutS": 0.1},
        visit={**_VISIT, "lifeMs": 1500},
    ),
    Recording(
        KICK,
        "v4-server-again",
        NAMESPACES_4,
        VISITOR_4,
        "A client that calls connect() whenever the server has disconnected it: five times in a row.",
        [server_says("^40{"), server_says("^41$")],
        times=5,
        serve={"throwOut": _TWICE},
        visit={**_VISIT, "again": 200, "connects": 6, "lifeMs": 9000},
    ),
    Recording(
        KICK,
        "v4-server-logout",
        NAMESPACES_4,
        VISITOR_4,
        "The server disconnects the client 5.5 s after it has come, as on a logout.",
        [server_says("^40{"), server_says("^41$")],
        serve={"throwOut": {"afterMs": 5500, "times": 1}},
        visit={**_VISIT, "lifeMs": 7000},
    ),
    Recording(
        KICK,
        "always-connect",
        THROWS_OUT_PYTHON,
        VISITOR_4,
        "python-socketio with always_connect lets a client in and refuses it then, with a DISCONNECT that"
        " carries the reason: no packet that the JavaScript client can read, which comes back.",
        [server_says("^40{"), server_says("^41{.*unauthorized"), client_says("^40$")],
        near_miss=True,
        serve={"refuses": True, "options": {"always_connect": True}},
        visit={**_VISIT, "connects": 2, "lifeMs": 2000},
    ),
    Recording(
        KICK,
        "comes-back",
        NAMESPACES_4,
        VISITOR_4,
        "The server disconnects the client once, it calls connect(), and stays.",
        [server_says("^40{"), server_says("^41$"), server_says("^40{"), client_says("^41$")],
        near_miss=True,
        serve={"throwOut": {"afterMs": 50, "times": 1}},
        visit={**_VISIT, "again": 200, "lifeMs": 1500},
    ),
]

_RECOVERS: dict[str, dict[str, int]] = {"connectionStateRecovery": {}}
_NOT_RECOVERED = [client_says("^40/?[a-z,]*{.pid"), server_says("^40/?[a-z,]*{.sid")]
# Two namespaces, and three connections: the first two are cut.
_COMES_BACK = {**_VISIT, "namespaces": ["", "/chat"], "connects": 6, "lifeMs": 9000}
_CUTS = {"namespaces": ["/chat"], "greets": True, "dropMs": 300}
_RECOVERY = [
    Recording(
        RECOVERY,
        "cluster-three-workers",
        NAMESPACES_4,
        VISITOR_4,
        "A server in three processes, each with connection state recovery in memory: a client whose"
        " connection is cut comes to another process each time, in both its namespaces.",
        _NOT_RECOVERED,
        times=2,
        serve={**_CUTS, "workers": 3, "options": _RECOVERS},
        visit=_COMES_BACK,
    ),
    Recording(
        RECOVERY,
        "no-offset",
        NAMESPACES_4,
        VISITOR_4,
        "A client whose connection is cut before it has had an event: it sends a pid and no offset.",
        [client_says('^40{"pid":"[^"]*"}$'), server_says("^40{.sid")],
        lacks=[client_says("offset")],
        serve={"dropMs": 300, "options": _RECOVERS},
        visit={**_VISIT, "connects": 2, "lifeMs": 3000},
    ),
    Recording(
        RECOVERY,
        "unnoticed",
        NAMESPACES_4,
        VISITOR_4,
        "A client whose connection dies without a packet comes back at once: the server has not noticed"
        " yet that it was gone, and has nothing to recover.",
        [server_says("^42.*news"), *_NOT_RECOVERED],
        serve={"greets": True, "options": _RECOVERS},
        visit={**_VISIT, "vanishMs": 300, "connects": 2, "lifeMs": 3000},
    ),
    Recording(
        RECOVERY,
        "expired",
        NAMESPACES_4,
        VISITOR_4,
        "The server keeps the state for 50 ms, and the client is away for longer, twice.",
        _NOT_RECOVERED,
        times=2,
        serve={
            **_CUTS,
            "options": {"connectionStateRecovery": {"maxDisconnectionDuration": 50}},
        },
        visit=_COMES_BACK,
    ),
    Recording(
        RECOVERY,
        "recovered",
        NAMESPACES_4,
        VISITOR_4,
        "A client whose connection is cut comes back to the same process, twice, and is recovered.",
        _NOT_RECOVERED,
        times=2,
        near_miss=True,
        serve={**_CUTS, "options": _RECOVERS},
        visit=_COMES_BACK,
    ),
]

_LOGIN = {"username": "boss", "password": "changeit"}
_STATS = server_says("^42/admin,.*server_stats")
_ADMIN = {**_VISIT, "namespaces": ["/admin"], "lifeMs": 2600}
_WITH_LOGIN = {**_ADMIN, "options": {**WEBSOCKET_ONLY, "auth": _LOGIN}}
_ADMIN_UI = [
    Recording(
        ADMIN_UI,
        "no-password",
        ADMIN,
        VISITOR_4,
        "The Admin UI with auth: false, at a private address.",
        [client_says("^40/admin,$"), server_says("^40/admin,{"), _STATS],
        serve={"admin": False},
        visit=_ADMIN,
    ),
    Recording(
        ADMIN_UI,
        "password-in-clear",
        ADMIN,
        VISITOR_4,
        "The Admin UI with a password that crosses a public network in clear.",
        [client_says("^40/admin,{.*password"), server_says("^40/admin,{"), _STATS],
        serve={"admin": {"type": "basic", **_LOGIN}},
        visit={**_WITH_LOGIN, "url": PUBLIC_URL},
        play=_in_public,
    ),
    Recording(
        ADMIN_UI,
        "password",
        ADMIN,
        VISITOR_4,
        "The Admin UI with a password, at a private address.",
        [client_says("^40/admin,{.*password"), server_says("^40/admin,{"), _STATS],
        near_miss=True,
        serve={"admin": {"type": "basic", **_LOGIN}},
        visit=_WITH_LOGIN,
    ),
]

_PID_LEAK = [
    Recording(
        PID_LEAK,
        "public",
        NAMESPACES_4,
        VISITOR_4,
        "Connection state recovery at a public address, without TLS.",
        [server_says('^40{.*"pid"')],
        serve={"options": _RECOVERS},
        visit={**_VISIT, "url": PUBLIC_URL, "says": True, "lifeMs": 600},
        play=_in_public,
    ),
    Recording(
        PID_LEAK,
        "without-recovery",
        NAMESPACES_4,
        VISITOR_4,
        "The same without connection state recovery: there is no key.",
        [server_says("^40{")],
        lacks=[server_says("pid")],
        near_miss=True,
        visit={**_VISIT, "url": PUBLIC_URL, "says": True, "lifeMs": 600},
        play=_in_public,
    ),
]

RECORDINGS = [*_KICKS, *_RECOVERY, *_ADMIN_UI, *_PID_LEAK]
