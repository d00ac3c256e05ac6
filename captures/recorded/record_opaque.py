# SPDX-License-Identifier: GPL-2.0-or-later
"""Record TLS as it is seen from outside, with the keys beside it, so that what is inside is known.

    record_opaque.py list
    record_opaque.py one NAME...     records these, and updates their entries in opaque.toml
    record_opaque.py all

Nothing is rewritten: times are real, and intervals that are minutes by default are set shorter at the servers. Needs
what `record_encrypted.py` needs, and mosquitto.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import command_line
from faulty_peers import index
from lab import Lab, node_env, npm_install, pip_install
from lab_kit import chromium, logged
from record_encrypted import Stage

HERE = Path(__file__).resolve().parent
PEERS = HERE / "opaque_peers"
FOLDER = "opaque"
NAME = "chat.example"
URL = f"https://{NAME}:3443"
RAW = f"wss://{NAME}:3443/socket.io/?EIO=4&transport=websocket"
NEW, NEW_CLIENT = "socket.io@4.8.4", "socket.io-client@4.8.4"
OLD, OLD_CLIENT = "socket.io@2.5.1", "socket.io-client@2.5.0"
WS = "ws@8.18.0"
WEBSOCKET = {"transports": ["websocket"]}
POLLING = {"transports": ["polling"]}
QUICK = {"pingInterval": 3000, "pingTimeout": 2000}

_HEAD = """\
# Made by record_opaque.py; change it there.
#
# what      what happens inside
# inside    what a program with the keys (beside the recording) reads there: packet, who, WebSocket text or HTTP
# log       what the client said itself
"""

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off; {more}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 3443 ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /page {{ default_type text/html; return 200 '{page}'; }}
    location = /client.js {{ alias {script}; }}
    location = /text {{ return 200 'fine'; }}
    location / {{
      proxy_pass http://127.0.0.1:3000; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
}}
"""
_SIO_PAGE = '<!doctype html><script src="/client.js"></script><script>io();</script>'
_FETCHING_PAGE = (
    '<!doctype html><script>setInterval(() => fetch("/text"), 3000); fetch("/text"); '
    'for (let i = 0; i < 4; i++) fetch("/text?" + i);</script>'
)


class Opaque(Stage):
    """One recording while it is made; the keys are kept by what ends TLS, or by the client."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab, folder)
        self.keys = folder / "keys.txt"

    def server(self, kind: str = "socketio", library: str = NEW, **plan: object) -> None:
        tls = {"cert": self.cert, "key": self.key, "keys": str(self.keys)}
        whole = {"kind": kind, **tls, **plan}
        env = node_env(npm_install(library, WS) if kind == "websocket" else npm_install(library))
        self.lab.start("server", ["node", str(PEERS / "server.js"), json.dumps(whole)], env=env)

    def client(self, kind: str = "socketio", library: str = NEW_CLIENT, seconds: float = 15, **plan: object) -> None:
        whole = {"kind": kind, "url": URL, "address": Lab.server_ip, "ca": self.cert, "forMs": seconds * 1000, **plan}
        packages = npm_install(library) if kind == "socketio" else npm_install(WS)
        argv = ["node", f"--tls-keylog={self.keys}", str(PEERS / "client.js"), json.dumps(whole)]
        self.run(argv, node_env(packages), seconds + 20)

    def behind_nginx(self, page: str = "", more: str = "", options: Mapping[str, object] | None = None) -> None:
        self.server(port=3000, cert="", options=dict(options or {}))
        script = npm_install(NEW_CLIENT) / "node_modules/socket.io-client/dist/socket.io.min.js"
        shutil.copy(script, self.folder / "client.js")
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder, page=page, more=more, script=self.folder / "client.js"))
        self.lab.start("server", ["nginx", "-c", str(config)], ready=None)
        self.wait_for(3443)

    def browser(self, seconds: float) -> None:
        argv = [*chromium(self.folder / "profile", NAME, Lab.server_ip), "--ignore-certificate-errors"]
        env = {"SSLKEYLOGFILE": str(self.keys)}
        program = self.lab.start("client", [*argv, "--remote-debugging-port=0", f"{URL}/page"], ready=None, env=env)
        time.sleep(seconds)
        program.stop(grace=3.0)

    def shell(self, side: str, script: str, seconds: float) -> None:
        """A shell script with the key log in the environment, ended after so long."""
        env = {"SSLKEYLOGFILE": str(self.keys), "CERT": self.cert, "KEY": self.key, "KEYS": str(self.keys)}
        program = self.lab.start(side, ["bash", "-c", script], ready=None, env=env)  # type: ignore[arg-type]
        time.sleep(seconds)
        program.stop(grace=1.0)

    def run(self, argv: Sequence[str], env: dict[str, str] | None = None, timeout: float = 60) -> None:
        output = self.lab.run("client", argv, timeout=timeout, env={"SSLKEYLOGFILE": str(self.keys), **(env or {})})
        self.log += logged(output.output)

    def go(self) -> None:
        argv = ["go", "run", str(PEERS / "client.go"), f"{URL}/socket.io/?EIO=4&transport=polling", Lab.server_ip]
        self.run([*argv, str(self.keys)], {"GO111MODULE": "off", "GOFLAGS": "-mod=mod"})

    def firefox(self) -> None:
        argv = ["firefox", "--headless", "--profile", str(self.folder / "firefox"), "--screenshot"]
        url = f"https://{Lab.server_ip}:3443/socket.io/?EIO=4&transport=polling"
        (self.folder / "firefox").mkdir()
        env = {"HOME": str(self.folder), "SSLKEYLOGFILE": str(self.keys)}
        program = self.lab.start("client", [*argv, str(self.folder / "shot.png"), url], ready=None, env=env)
        time.sleep(20)
        program.stop(grace=2.0)

    def python(self, library: str, package: str, url: str) -> None:
        argv = [str(pip_install(package)), str(PEERS / "clients.py"), library, url, Lab.server_ip, self.cert]
        self.run(argv)


@dataclass(frozen=True)
class Scenario:
    """What to record: `prepare` starts the servers, `play` is captured. `least` lines must be read inside."""

    name: str
    server: str
    client: str
    what: str
    prepare: Callable[[Opaque], None]
    play: Callable[[Opaque], None]
    port: int = 3443
    least: int = 1

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcap"


def _mosquitto(stage: Opaque, port: int) -> None:
    config = stage.folder / "mosquitto.conf"
    config.write_text(f"listener {port}\ncertfile {stage.cert}\nkeyfile {stage.key}\nallow_anonymous true\nuser root\n")
    stage.lab.start("server", ["mosquitto", "-c", str(config)], ready=None)
    stage.wait_for(port)


def _subscribe(stage: Opaque, port: int) -> None:
    script = (
        f"mosquitto_sub -h {Lab.server_ip} -p {port} --cafile $CERT --insecure -t device/1 -k 5 -i device-1 "
        "--tls-version tlsv1.3"
    )
    stage.shell("client", script, 22)


def _imap(stage: Opaque) -> None:
    script = (
        "(printf '* OK IMAP4rev1 ready\\r\\n'; sleep 1; printf '+ idling\\r\\n'; "
        "while sleep 4; do printf '* OK Still here\\r\\n'; done) | "
        "openssl s_server -accept 3443 -cert $CERT -key $KEY -quiet -keylogfile $KEYS"
    )
    env = {"CERT": stage.cert, "KEY": stage.key, "KEYS": str(stage.keys)}
    stage.lab.start("server", ["bash", "-c", script], ready=None, env=env)
    time.sleep(0.5)


def _imap_client(stage: Opaque) -> None:
    script = (
        "(sleep 0.5; printf 'a login x y\\r\\n'; sleep 0.5; printf 'b idle\\r\\n'; sleep 19) | "
        f"openssl s_client -connect {Lab.server_ip}:3443 -servername mail.example -quiet"
    )
    stage.shell("client", script, 20)


def _aged(stage: Opaque) -> None:
    stage.server(port=3001, options={"pingInterval": 2000})
    node = json.dumps({"to": 3001, "ageMs": 9000, "port": 3443})
    stage.lab.start("server", ["node", str(PEERS / "age_proxy.js"), node])


_NODE, _NODE_CLIENT = "socket.io 4.8.4", "socket.io-client 4.8.4"

SCENARIOS = (
    Scenario(
        "heartbeat-eio4-tls13", _NODE, _NODE_CLIENT,
        "WebSocket, Engine.IO 4, TLS 1.3: the server pings every 3 s, and the client answers.",
        lambda stage: stage.server(options=QUICK), lambda stage: stage.client(options=WEBSOCKET),
    ),
    Scenario(
        "heartbeat-eio4-tls12", _NODE, _NODE_CLIENT, "The same over TLS 1.2.",
        lambda stage: stage.server(options=QUICK, maxVersion="TLSv1.2"), lambda stage: stage.client(options=WEBSOCKET),
    ),
    Scenario(
        "heartbeat-eio4-upgraded", _NODE, _NODE_CLIENT, "Polling first, then WebSocket.",
        lambda stage: stage.server(options=QUICK), lambda stage: stage.client(),
    ),
    Scenario(
        "heartbeat-eio3-tls13", "socket.io 2.5.1", "socket.io-client 2.5.0",
        "WebSocket, Engine.IO 3: the client pings every 3 s, and the server answers.",
        lambda stage: stage.server(library=OLD, options=QUICK),
        lambda stage: stage.client(library=OLD_CLIENT, options=WEBSOCKET),
    ),
    Scenario(
        "heartbeat-eio4-polling", _NODE, _NODE_CLIENT, "The same session as the first, by polling alone.",
        lambda stage: stage.server(options=QUICK), lambda stage: stage.client(options=POLLING, seconds=10),
    ),
    Scenario(
        "heartbeat-chromium", "nginx 1.22.1 and socket.io 4.8.4", "Chromium 156.0.8078.108",
        "A browser behind nginx with HTTP/2: polling, then WebSocket over a connection of its own.",
        lambda stage: stage.behind_nginx(page=_SIO_PAGE, options=QUICK), lambda stage: stage.browser(18),
    ),
    Scenario(
        "client-ping-in-eio4", _NODE, "ws 8.18.0",
        'A client that opens with EIO=4 and sends "2" after 5 s; the server closes, and it begins again.',
        lambda stage: stage.server(),
        lambda stage: stage.client("websocket", url=RAW, saysMs=5000, says="2", seconds=24),
    ),
    Scenario(
        "client-ping-in-eio4-tls12", _NODE, "ws 8.18.0", "The same after 20 s and over TLS 1.2.",
        lambda stage: stage.server(maxVersion="TLSv1.2"),
        lambda stage: stage.client("websocket", url=RAW, saysMs=20_000, says="2", pongs=True, seconds=44),
    ),
    Scenario(
        "pings-unanswered", _NODE, "ws 8.18.0",
        "A client that never answers a ping: the server closes after pingTimeout, and it begins again.",
        lambda stage: stage.server(options=QUICK), lambda stage: stage.client("websocket", url=RAW, seconds=24),
    ),
    Scenario(
        "cut-by-nginx", "nginx 1.22.1 and socket.io 4.8.4", _NODE_CLIENT,
        "nginx with proxy_read_timeout 4s, and pings every 25 s: it cuts the WebSocket after 4 s, again and again.",
        lambda stage: stage.behind_nginx(more="proxy_read_timeout 4s;"),
        lambda stage: stage.client(options=WEBSOCKET, seconds=26),
    ),
    Scenario(
        "cut-by-age", "socket.io 4.8.4", _NODE_CLIENT,
        "Something that ends every connection when it is 9 s old; pings every 2 s.",
        _aged, lambda stage: stage.client(options=WEBSOCKET, seconds=42),
    ),
    Scenario(
        "refused-eio3-polling", _NODE, "socket.io-client 2.5.0",
        "A client of Engine.IO 3 at a server that takes 4 alone: 400, and again, later each time.",
        lambda stage: stage.server(),
        lambda stage: stage.client(library=OLD_CLIENT, options=POLLING, seconds=30),
    ),
    Scenario(
        "refused-eio3-websocket", _NODE, "socket.io-client 2.5.0", "The same over WebSocket.",
        lambda stage: stage.server(), lambda stage: stage.client(library=OLD_CLIENT, options=WEBSOCKET, seconds=30),
    ),
    Scenario(
        "reset-after-request", "node:tls 20", _NODE_CLIENT,
        "A server that resets each connection when a request has come.",
        lambda stage: stage.server("resets"), lambda stage: stage.client(options=WEBSOCKET, seconds=20), least=0,
    ),
    Scenario(
        "other-websocket-pings", "ws 8.18.0", "ws 8.18.0",
        "A WebSocket that is no Socket.IO: the server sends ping frames every 3 s.",
        lambda stage: stage.server("websocket", everyMs=3000),
        lambda stage: stage.client("websocket", url=f"wss://{NAME}:3443/", seconds=15), least=0,
    ),
    Scenario(
        "other-browsing", "nginx 1.22.1", "Chromium 156.0.8078.108", "A page that asks for something every 3 s.",
        lambda stage: stage.behind_nginx(page=_FETCHING_PAGE, more="keepalive_timeout 2s;"),
        lambda stage: stage.browser(16), least=0,
    ),
    Scenario(
        "other-poller-keep-alive", "node:https 20", "node:https 20",
        "A program that asks every 4 s; the server closes connections that are idle for 3 s.",
        lambda stage: stage.server("sse", keepAliveMs=3000),
        lambda stage: stage.client("http", agent=True, everyMs=4000, seconds=26),
    ),
    Scenario(
        "other-poller", "node:https 20", "node:https 20",
        "A program that asks every 4 s, over a connection of its own each time.",
        lambda stage: stage.server("sse"), lambda stage: stage.client("http", agent=False, everyMs=4000, seconds=26),
    ),
    Scenario(
        "other-sse", "node:https 20", "curl 7.88.1", "Server-sent events with a comment every 3 s.",
        lambda stage: stage.server("sse", everyMs=3000),
        lambda stage: stage.shell(
            "client", f"curl -sN --cacert $CERT --resolve {NAME}:3443:{Lab.server_ip} {URL}/events", 17
        ),
        least=0,
    ),
    Scenario(
        "other-http2-pings", "node:http2 20", "node:http2 20", "HTTP/2 that is idle but for a PING every 3 s.",
        lambda stage: stage.server("http2"), lambda stage: stage.client("http2", everyMs=3000), least=0,
    ),
    Scenario(
        "other-http2-stream", "node:http2 20", "node:http2 20", "A stream of HTTP/2 with a small message every 3 s.",
        lambda stage: stage.server("http2", everyMs=3000), lambda stage: stage.client("http2"), least=0,
    ),
    Scenario(
        "other-mqtt", "mosquitto 2.0.11", "mosquitto_sub 2.0.11",
        "MQTT over TLS, on a port that is not its own: the client sends PINGREQ every 5 s.",
        lambda stage: _mosquitto(stage, 3443), lambda stage: _subscribe(stage, 3443), least=0,
    ),
    Scenario(
        "other-imap-idle", "openssl s_server 3.0", "openssl s_client 3.0",
        "What IMAP IDLE looks like, on a port that is not its own: a line of the server every 4 s.",
        _imap, _imap_client, least=0,
    ),
    Scenario(
        "client-curl", _NODE, "curl 7.88.1", "One handshake by curl.",
        lambda stage: stage.server(), lambda stage: stage.curl(f"{URL}/socket.io/?EIO=4&transport=polling"),
    ),
    Scenario(
        "client-go", _NODE, "Go 1.19", "One handshake by Go's net/http.",
        lambda stage: stage.server(), lambda stage: stage.go(),
    ),
    Scenario(
        "client-java", _NODE, "OpenJDK 17", "One handshake by Java's own TLS.",
        lambda stage: stage.server(),
        lambda stage: stage.run(
            ["java", str(PEERS / "Client.java"), NAME, "3443", Lab.server_ip, "/socket.io/?EIO=4&transport=polling"]
        ),
    ),
    Scenario(
        "client-firefox", _NODE, "Firefox 153 ESR", "Some handshakes by Firefox, which does not trust the server.",
        lambda stage: stage.server(), lambda stage: stage.firefox(), least=0,
    ),
    *(
        Scenario(
            f"client-{library}", _NODE, package.replace("==", " "), f"One handshake by {library}.",
            lambda stage: stage.server(), partial(Opaque.python, library=library, package=package, url=url),
        )
        for library, package, url in (
            ("requests", "requests==2.32.3", f"{URL}/socket.io/?EIO=4&transport=polling"),
            ("websocket-client", "websocket-client==1.8.0", RAW),
            ("aiohttp", "aiohttp==3.11.11", RAW),
            ("mbedtls", "python-mbedtls==2.10.1", URL),
        )
    ),
)  # fmt: skip


def read_inside(capture: Path, keys: Path, port: int) -> list[str]:
    """What tshark reads with the keys: a line for each WebSocket frame with text and each HTTP head."""
    fields = ["frame.number", "tcp.dstport", "websocket.opcode", "websocket.payload.text"]
    fields += ["http.request.method", "http.response.code"]
    argv = ["tshark", "-r", str(capture), "-o", f"tls.keylog_file:{keys}", "-d", f"tcp.port=={port},tls",
            "-Y", "websocket || http", "-T", "fields"]  # fmt: skip
    argv += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    lines = []
    for line in done.stdout.splitlines():
        number, to, opcode, text, method, status = line.split("\t")
        who = "client" if to == str(port) else "server"
        said = method or status or text or f"opcode {opcode}"
        lines.append(f"{number} {who} {said[:60]}")
    return lines


def record(scenario: Scenario) -> index.Entry:
    """Make the recording, and keep it if what is inside can be read with its keys."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-opaque-") as folder, Lab() as lab:
        Path(folder).chmod(0o755)  # nginx reads its files as another user
        capture = Path(folder) / f"{scenario.name}.pcap"
        stage = Opaque(lab, Path(folder))
        scenario.prepare(stage)
        with lab.capture(capture, filter=f"tcp port {scenario.port}"):
            scenario.play(stage)
        inside = read_inside(capture, stage.keys, scenario.port) if stage.keys.exists() else []
        if len(inside) < scenario.least:
            raise RuntimeError(f"nothing is read inside: {stage.log}")
        target = HERE / scenario.file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(capture, target)
        if stage.keys.exists():
            lines = sorted(set(stage.keys.read_text().splitlines()))
            target.with_suffix(".keys").write_text("".join(f"{line}\n" for line in lines if line[:1] != "#"))
    return {
        "file": scenario.file,
        "server": scenario.server,
        "client": scenario.client,
        "what": scenario.what,
        "inside": inside[:64],
        "log": stage.log[:12],
    }


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, SCENARIOS, record, HERE / "opaque.toml", _HEAD))
