# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS that does not come about, and TLS where the other side speaks none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from lab import Lab
from lab_kit import certify

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, NGINX, PYTHON_5, PYTHON_CLIENT, SERVER_4, Peer
from faulty_peers.plans import POLLING_ONLY, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import ASKS_POLLING, FROM_CLIENT, FROM_SERVER, answers, ends

FAILURE = Rule("tls-failure", "TLS107")
MISMATCH = Rule("scheme-mismatch", "TLS108")

SECURE_4 = replace(SERVER_4, script="../encrypted_peers/sio_tls.js")
CADDY = Peer("Caddy", "2.6.2")
OPENSSL = Peer("openssl s_client", "3.0")

_PORT = 3443  # what comes to port 3000 is taken for HTTP
_TO, _FROM = f"tcp.dstport == {_PORT}", f"tcp.srcport == {_PORT}"
_HELLO = f"{_TO} && tls.handshake.type == 1"
_HELLO_TO_HTTP = f"{FROM_CLIENT} && tcp.payload[0:2] == 16:03"
_ANSWERED = f"{_FROM} && tls.handshake.type == 2"
_SECURE = {"role": "server", "port": _PORT}
_NAME = "chat.example"


def _certificate(stage: Stage) -> dict[str, str]:
    """One that nobody has signed but its own key."""
    cert, key = certify(stage.folder, _NAME, f"IP:{Lab.server_ip}")
    stage.folder.chmod(0o755)  # nginx reads them as another user
    return {"cert": cert, "key": key}


def _visits(stage: Stage) -> None:
    """A server with that certificate, and a client that comes and goes."""
    stage.start_server(**_certificate(stage))
    stage.visit()


def _nginx(*server: str, tries: Callable[[Stage], None] = lambda stage: stage.visit()) -> Callable[[Stage], None]:
    """Nginx with that certificate in front of a server in clear."""

    def play(stage: Stage) -> None:
        files = _certificate(stage)
        keys = f"ssl_certificate {files['cert']}; ssl_certificate_key {files['key']};"
        boxes.nginx_with(*(line.replace("KEYS", keys) for line in server), port=3002)(stage)
        tries(stage)

    return play


def _openssl(*arguments: str) -> Callable[[Stage], None]:
    """`openssl s_client` tries twice."""

    def tries(stage: Stage) -> None:
        argv = ["openssl", "s_client", "-connect", f"{Lab.server_ip}:{_PORT}", *arguments]
        with stage.capture():
            for _ in range(2):
                stage.lab.run("client", ["timeout", "5", *argv])
                time.sleep(0.2)

    return tries


def _old_client(stage: Stage) -> None:
    stage.start_server(**_certificate(stage))
    _openssl("-tls1", "-cipher", "DEFAULT@SECLEVEL=0", "-servername", _NAME)(stage)


def _caddy(stage: Stage) -> None:
    """Caddy with that certificate, and a client that comes and goes."""
    files = _certificate(stage)
    config = stage.folder / "Caddyfile"
    site = f"https://{Lab.server_ip}:3000 {{\n tls {files['cert']} {files['key']}\n respond ok\n}}\n"
    config.write_text("{\n auto_https off\n admin off\n}\n" + site)
    stage.lab.start("server", ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"], ready="serving")
    stage.visit()


def _alert(side: str, number: int) -> str:
    return f"{side} && tls.alert_message.desc == {number}"


_RETRIES = {"url": f"https://{Lab.server_ip}:{_PORT}", "attempts": 2, "lifeMs": 8000}


def _failure(variant: str, server: Peer, client: Peer, what: str, shows: Sequence[str], **more: object) -> Recording:
    return Recording(FAILURE, variant, server, client, what, shows, **more)  # type: ignore[arg-type]  # its fields


_FAILURES = [
    _failure(
        "node-client-gives-up",
        SECURE_4,
        CLIENT_4,
        "A certificate that signs itself: Node's TLS completes the handshake (TLS 1.3), then the client looks at the"
        " certificate and ends the connection without a word.",
        [_HELLO, _ANSWERED, ends(_TO)],
        times=2,
        serve=_SECURE,
        visit={**_RETRIES, "options": WEBSOCKET_ONLY},
        play=_visits,
    ),
    _failure(
        "python-client-tls-1.3",
        SECURE_4,
        PYTHON_CLIENT,
        "The same for the python client: it answers the server's first messages with the alert unknown_ca, in clear.",
        [_HELLO, _ANSWERED, _alert(_TO, 48)],
        serve=_SECURE,
        visit={"url": _RETRIES["url"]},
        play=_visits,
    ),
    _failure(
        "python-client-tls-1.2",
        SECURE_4,
        PYTHON_CLIENT,
        "The same at a server that speaks no more than TLS 1.2: the alert is in clear, after the certificate.",
        [_HELLO, _ANSWERED, _alert(_TO, 48)],
        serve={**_SECURE, "maxVersion": "TLSv1.2"},
        visit={"url": _RETRIES["url"]},
        play=_visits,
    ),
    _failure(
        "tls-1.0-client",
        SECURE_4,
        OPENSSL,
        "A client that speaks no more than TLS 1.0 (openssl s_client -tls1), twice: the server refuses it with the"
        " alert protocol_version.",
        [_HELLO, _alert(_FROM, 70)],
        times=2,
        serve=_SECURE,
        play=_old_client,
    ),
    _failure(
        "no-server-name",
        NGINX,
        OPENSSL,
        "A client that names no server (openssl s_client -noservername), twice, at an nginx that refuses whoever does"
        " not name one of its sites (ssl_reject_handshake).",
        [_HELLO, _alert(_FROM, 112)],
        times=2,
        play=_nginx(f"listen {_PORT} ssl;", "ssl_reject_handshake on;", tries=_openssl("-noservername")),
    ),
]

_MISMATCHES = [
    Recording(
        MISMATCH,
        "https-at-node-http",
        SERVER_4,
        CLIENT_4,
        "The client is told https://, and the server speaks HTTP in clear: it answers the ClientHello with 400.",
        [_HELLO_TO_HTTP, answers(400)],
        times=2,
        visit={**_RETRIES, "url": f"https://{Lab.server_ip}:3000", "options": POLLING_ONLY},
    ),
    Recording(
        MISMATCH,
        "wss-at-aiohttp",
        PYTHON_5,
        CLIENT_4,
        "The same at python-socketio on aiohttp, for a WebSocket.",
        [_HELLO_TO_HTTP, answers(400)],
        times=2,
        visit={**_RETRIES, "url": f"https://{Lab.server_ip}:3000", "options": WEBSOCKET_ONLY},
    ),
    Recording(
        MISMATCH,
        "http-at-nginx-https",
        NGINX,
        CLIENT_4,
        "The client is told http://, and nginx speaks TLS on that port: 400, The plain HTTP request was sent to HTTPS"
        " port.",
        [ASKS_POLLING, answers(400, "plain HTTP request was sent to HTTPS port")],
        times=2,
        visit={**_RETRIES, "url": f"http://{Lab.server_ip}:3000", "options": POLLING_ONLY},
        play=_nginx("listen 3000 ssl;", "KEYS", "location / { proxy_pass http://127.0.0.1:3001; }"),
    ),
    Recording(
        MISMATCH,
        "http-at-caddy-https",
        CADDY,
        CLIENT_4,
        "The same at Caddy: 400, Client sent an HTTP request to an HTTPS server.",
        [ASKS_POLLING, answers(400, "Client sent an HTTP request to an HTTPS server")],
        times=2,
        visit={**_RETRIES, "url": f"http://{Lab.server_ip}:3000", "options": POLLING_ONLY},
        play=_caddy,
    ),
    Recording(
        MISMATCH,
        "http-at-node-https",
        SECURE_4,
        CLIENT_4,
        "The same at a server of Node over TLS, which has no answer to it.",
        [ASKS_POLLING, ends(FROM_SERVER)],
        times=2,
        serve={**_SECURE, "port": 3000},
        visit={**_RETRIES, "url": f"http://{Lab.server_ip}:3000", "options": POLLING_ONLY},
        play=_visits,
    ),
]

RECORDINGS = [*_FAILURES, *_MISMATCHES]
