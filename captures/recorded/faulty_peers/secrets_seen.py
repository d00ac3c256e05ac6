# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets where others can read them, and old versions of the protocol that are still let in."""

from __future__ import annotations

from collections.abc import Callable

from lab import DEVICE

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_CLIENT, SERVER_2, SERVER_4
from faulty_peers.plans import ALLOWS_EIO3, POLLING_ONLY, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import answers, asks, client_says, server_says, server_tells

TOKEN_IN_URL = Rule("token-in-url", "HTTP117")
CLEARTEXT = Rule("cleartext", "HTTP118")
EIO3_ALLOWED = Rule("eio3-allowed", "EIO121")

_TOKEN = "a-secret-of-no-value"
_BRIEFLY = {"lifeMs": 900, "hello": {"times": 1, "everyMs": 100}}
_FORWARDS = "proxy_set_header X-Forwarded-For $remote_addr; proxy_http_version 1.1;"
_UPGRADES = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'

_URLS = [
    Recording(
        TOKEN_IN_URL,
        "behind-nginx",
        SERVER_4,
        CLIENT_4,
        "A token in the URL of the handshake (option query), which passes nginx, and so its access log.",
        [f"{asks('token=')} && http.x_forwarded_for", "http.response.code == 101"],
        visit={**_BRIEFLY, "url": URL, "options": {**WEBSOCKET_ONLY, "query": {"token": _TOKEN}}},
        play=boxes.behind(boxes.nginx(f"{_FORWARDS} {_UPGRADES}"), device="lo"),
    ),
    Recording(
        TOKEN_IN_URL,
        "auth",
        SERVER_4,
        CLIENT_4,
        "The token in the first packet (option auth), and parameters in the URL that are none.",
        [asks("room="), server_says("^0{"), client_says("^40.*token"), server_says("greeting")],
        lacks=[asks(_TOKEN)],
        near_miss=True,
        visit={
            **_BRIEFLY,
            "url": URL,
            "options": {**WEBSOCKET_ONLY, "auth": {"token": _TOKEN}, "query": {"room": "7", "token": "undefined"}},
        },
    ),
]

# Public by the book (IANA's registry of special-purpose addresses), and nobody's: the range of a protocol, AMT.
_PUBLIC_CLIENT, _PUBLIC_SERVER = "192.52.193.7", "192.52.193.2"
_PUBLIC_URL = f"http://{_PUBLIC_SERVER}:3000"


def _in_public(play: Callable[[Stage], None] = lambda stage: stage.whole_visit()) -> Callable[[Stage], None]:
    """Gives both sides public addresses first."""

    def played(stage: Stage) -> None:
        stage.lab.run_ip("client", ["address", "add", f"{_PUBLIC_CLIENT}/24", "dev", DEVICE])
        stage.lab.run_ip("server", ["address", "add", f"{_PUBLIC_SERVER}/24", "dev", DEVICE])
        play(stage)

    return played


_CLEARTEXT = [
    Recording(
        CLEARTEXT,
        "authorization",
        SERVER_4,
        PYTHON_CLIENT,
        "Between public addresses, without TLS, with a token in a header and one in the CONNECT.",
        [asks("EIO=4"), "http.authorization", client_says("^5$"), server_tells("greeting")],
        visit={
            **_BRIEFLY,
            "url": _PUBLIC_URL,
            "options": {"headers": {"Authorization": f"Bearer {_TOKEN}"}, "auth": {"token": _TOKEN}},
        },
        play=_in_public(),
    ),
    Recording(
        CLEARTEXT,
        "v2-polling",
        SERVER_2,
        CLIENT_2,
        "Between public addresses, without TLS, over polling and without a secret but the session id.",
        [answers(200, "0{"), asks("sid="), server_tells("greeting")],
        visit={**_BRIEFLY, "url": _PUBLIC_URL, "options": POLLING_ONLY},
        play=_in_public(),
    ),
    Recording(
        CLEARTEXT,
        "websocket",
        SERVER_4,
        CLIENT_4,
        "Between public addresses, without TLS, over WebSocket, where the session id alone opens nothing.",
        [asks("EIO=4"), server_says("^0{"), server_says("greeting")],
        visit={**_BRIEFLY, "url": _PUBLIC_URL, "options": WEBSOCKET_ONLY},
        play=_in_public(),
    ),
    Recording(
        CLEARTEXT,
        "private",
        SERVER_4,
        PYTHON_CLIENT,
        "The same tokens between private addresses, as behind a proxy that has the certificate.",
        [asks("EIO=4"), "http.authorization", client_says("^5$"), server_tells("greeting")],
        near_miss=True,
        visit={
            **_BRIEFLY,
            "url": URL,
            "options": {"headers": {"Authorization": f"Bearer {_TOKEN}"}, "auth": {"token": _TOKEN}},
        },
    ),
]


def _old_and_new(stage: Stage) -> None:
    """A client of 2.x, and one of the newest release after it."""
    stage.start_server()
    with stage.capture():
        stage.run_client()
        argv, env = CLIENT_4.argv(stage.recording.visit), CLIENT_4.env()
        stage.lab.run("client", argv, env=env)


_GENERATIONS = [
    Recording(
        EIO3_ALLOWED,
        "old-and-new",
        SERVER_4,
        CLIENT_2,
        "A server with allowEIO3, a client of 2.x, and after it one of the newest release.",
        [asks("EIO=3"), server_says("^40$"), asks("EIO=4"), server_says("^40{")],
        serve={"options": ALLOWS_EIO3},
        visit={**_BRIEFLY, "url": URL, "options": WEBSOCKET_ONLY},
        play=_old_and_new,
    ),
]

RECORDINGS = [*_URLS, *_CLEARTEXT, *_GENERATIONS]
