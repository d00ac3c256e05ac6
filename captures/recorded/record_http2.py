# SPDX-License-Identifier: GPL-2.0-or-later
"""Record Socket.IO over HTTP/2: polling, and WebSocket over it (RFC 8441), in clear, so that no keys are needed.

    record_http2.py list
    record_http2.py one NAME...     records these, and updates their entries in http2.toml
    record_http2.py all

A browser speaks HTTP/2 only over TLS. On its own host haproxy takes the TLS off, and passes on what is in it byte for
byte. Needs what `lab.py` needs, nginx, haproxy, Chromium, openssl, and the packages named below from npm and PyPI.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import command_line
from faulty_peers import index, wire
from lab import Lab, node_env, npm_install, pip_install
from lab_kit import certify, chromium, logged, wait_for_port

HERE = Path(__file__).resolve().parent
PEERS = HERE / "http2_peers"
FOLDER = "http2"
NAME = "chat.example"
SERVER = "socket.io@4.8.4"
CLIENT = "socket.io-client@4.8.4"
ASGI = ("hypercorn[h2]==0.17.3", "python-socketio==5.18.1", "python-engineio==4.15.1")
H2 = ("h2==4.2.0", "wsproto==1.2.0")
PORT = 3000

_HEAD = """\
# Made by record_http2.py; change it there.
#
# what      what happens on the wire
# proof     the captured packets that decide it, found by display filters when it was recorded
# log       what the peers said themselves
"""

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off; client_max_body_size 10k; gzip on; gzip_types text/javascript;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 3000 http2;
    location = /page {{ default_type text/html; alias {folder}/page.html; }}
    location = /client.js {{ default_type text/javascript; alias {folder}/client.js; }}
    location / {{ proxy_pass http://127.0.0.1:3001; proxy_http_version 1.1; proxy_set_header Host $host; }}
  }}
}}
"""

# Ends TLS on the browser's host, and passes on HTTP/2 as it is.
_HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen edge
  bind 127.0.0.1:443 ssl crt {pem} alpn h2
  server web {server}:3000
"""

# Speaks HTTP/2 in clear to its clients, WebSocket over it too, and HTTP/1.1 to the server behind it.
_EDGE = """
global
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
listen edge
  bind :3000 proto h2
  http-request return status 200 content-type text/html file {folder}/page.html if {{ path /page }}
  acl script path /client.js
  http-request return status 200 file {folder}/client.js.gz hdr content-encoding gzip content-type {js} if script
  server node 127.0.0.1:3001
"""

_PAGE = """<!doctype html><script src="/client.js"></script><script>
const socket = io({{ transports: {transports}, reconnection: false }});
const add = () => socket.emit("add", 2, 3, () => socket.close());
socket.on("connect", () => socket.io.engine.transport.name === "websocket" || {alone} ? add() : 0);
socket.io.engine.on("upgrade", () => setTimeout(add, 100));
</script>"""


class Stage:
    """One recording while it is made: the laboratory, and the peers that can be asked for."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.log: list[str] = []

    def page(self, *transports: str) -> None:
        alone = json.dumps(len(transports) == 1)
        text = _PAGE.format(transports=json.dumps(transports), alone=alone)
        (self.folder / "page.html").write_text(text)
        script = npm_install(CLIENT) / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
        shutil.copy(script, self.folder / "client.js")
        (self.folder / "client.js.gz").write_bytes(gzip.compress(script.read_bytes()))

    def node(self) -> None:
        plan = {"role": "server", "port": 3001}
        script = HERE / "encrypted_peers" / "sio_tls.js"
        self.lab.start("server", ["node", str(script), json.dumps(plan)], env=node_env(npm_install(SERVER)))

    def node_behind_haproxy(self) -> None:
        self.node()
        config = self.folder / "edge.cfg"
        config.write_text(_EDGE.format(folder=self.folder, js="text/javascript"))
        self.lab.start("server", ["haproxy", "-W", "-db", "-f", str(config)], ready="Loading success")

    def node_behind_nginx(self) -> None:
        self.node()
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder))
        self.lab.start("server", ["nginx", "-c", str(config)], ready=None)
        wait_for_port(self.lab, "server", PORT)

    def node_http2(self) -> None:
        script = PEERS / "http2_server.js"
        self.lab.start("server", ["node", str(script), str(PORT)], env=node_env(npm_install(SERVER)))

    def hypercorn(self) -> None:
        argv = [str(pip_install(*ASGI)), "-m", "hypercorn", "--bind", f"0.0.0.0:{PORT}", "sio_app:app"]
        env = {"PYTHONPATH": str(PEERS), "PAGE": f"{self.folder}/page.html", "SCRIPT": f"{self.folder}/client.js"}
        self.lab.start("server", argv, ready="Running on", env=env)

    def h2_client(self, *what: str) -> None:
        self.run([str(pip_install(*H2)), str(PEERS / "h2_client.py"), Lab.server_ip, str(PORT), *what])

    def haproxy(self) -> None:
        pem, config = self.folder / "both.pem", self.folder / "haproxy.cfg"
        pem.write_text("".join(Path(each).read_text() for each in certify(self.folder, NAME)))
        config.write_text(_HAPROXY.format(pem=pem, server=Lab.server_ip))
        self.lab.start("client", ["haproxy", "-W", "-db", "-f", str(config)], ready="Loading success")

    def chromium(self) -> None:
        """A page with a Socket.IO client; what the browser asks its maker finds no network."""
        self.haproxy()
        argv = [*chromium(self.folder / "profile", NAME, "127.0.0.1"), "--ignore-certificate-errors"]
        browser = self.lab.start("client", [*argv, f"https://{NAME}/page"], ready=None)
        time.sleep(4)
        browser.stop()

    def run(self, argv: Sequence[str], env: dict[str, str] | None = None) -> None:
        output = self.lab.run("client", argv, timeout=60, env=env).output
        self.log += logged(output)
        if "Traceback" in output:
            raise ValueError(output)


@dataclass(frozen=True)
class Scenario:
    """What to record: `prepare` starts the servers, `play` is captured. `healthy` says that there is no fault."""

    name: str
    server: tuple[str, str]
    client: tuple[str, str]
    what: str
    shows: Sequence[str]
    prepare: Callable[[Stage], None]
    play: Callable[[Stage], None]
    healthy: bool = True

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcap"


_NODE = "nginx and socket.io", "1.22.1 and 4.8.4"
_PYTHON = "python-socketio on hypercorn", "5.18.1 on 0.17.3"
_EDGED = "haproxy and socket.io", "2.6.12 and 4.8.4"
_COMPAT = "socket.io on node:http2", "4.8.4 on 20"
_CHROMIUM = "socket.io-client in Chromium", "4.8.4 in 156.0"
_H2 = "h2 and wsproto", "4.2.0 and 1.2.0"
_ASKS = 'http2.headers.path contains "transport=polling"'
_CONNECTS = 'http2.headers.method == "CONNECT"'
_RESETS = "http2.type == 3"


def _page(*transports: str) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        stage.page(*transports)
        if transports == ("polling",):
            stage.node_behind_nginx()
        else:
            stage.node_behind_haproxy()

    return prepare


SCENARIOS = (
    Scenario(
        "polling-chromium-nginx", _NODE, _CHROMIUM,
        "A page, and a session by polling in it, over HTTP/2 of nginx.",
        [_ASKS], _page("polling"), Stage.chromium,
    ),
    Scenario(
        "websocket-chromium-haproxy", _EDGED, _CHROMIUM,
        "A page, and a session over WebSocket from its beginning on, on the same HTTP/2 connection (RFC 8441).",
        [_CONNECTS], _page("websocket"), Stage.chromium,
    ),
    Scenario(
        "upgrade-chromium-haproxy", _EDGED, _CHROMIUM,
        "The same, with polling first: all of it on one HTTP/2 connection.",
        [_ASKS, _CONNECTS], _page("polling", "websocket"), Stage.chromium,
    ),
    Scenario(
        "polling-node", _COMPAT, _H2,
        "A session by polling, with a server that is node:http2 itself.",
        [_ASKS], Stage.node_http2, lambda stage: stage.h2_client("polling"),
    ),
    Scenario(
        "upgrade-haproxy", _EDGED, _H2,
        "A session by polling that is upgraded, on one connection.",
        [_ASKS, _CONNECTS], _page("websocket"), lambda stage: stage.h2_client("upgrade"),
    ),
    Scenario(
        "websocket-haproxy", _EDGED, _H2,
        "A session over WebSocket over HTTP/2.",
        [_CONNECTS], _page("websocket"), lambda stage: stage.h2_client("websocket"),
    ),
    Scenario(
        "client-ping-haproxy", _EDGED, _H2,
        "A client of revision 4 sends pings over WebSocket over HTTP/2.",
        [_CONNECTS], _page("websocket"), lambda stage: stage.h2_client("ping"), healthy=False,
    ),
    Scenario(
        "eio3-haproxy", _EDGED, _H2,
        "A handshake of revision 3 over HTTP/2 is refused.",
        [_ASKS], _page("websocket"), lambda stage: stage.h2_client("polling", "3"), healthy=False,
    ),
    Scenario(
        "websocket-refused-hypercorn", _PYTHON, _H2,
        "The server takes WebSocket over HTTP/2, the Socket.IO library in it does not: 403.",
        [_CONNECTS], Stage.hypercorn, lambda stage: stage.h2_client("websocket"), healthy=False,
    ),
    Scenario(
        "post-too-large-nginx", _NODE, _H2,
        "nginx refuses a POST over HTTP/2 for its size (413).",
        [_ASKS], lambda stage: stage.node_behind_nginx(), lambda stage: stage.h2_client("large"), healthy=False,
    ),
    Scenario(
        "poll-cancelled-nginx", _NODE, _H2,
        "A client cancels its poll (RST_STREAM), and polls again on the same connection.",
        [_ASKS, _RESETS], Stage.node_behind_nginx, lambda stage: stage.h2_client("reset"), healthy=False,
    ),
)  # fmt: skip


def record(scenario: Scenario) -> index.Entry:
    """Make the recording and keep it if it shows what it is said to show."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-http2-") as folder, Lab() as lab:
        Path(folder).chmod(0o755)  # nginx reads its files as another user
        capture = Path(folder) / f"{scenario.name}.pcap"
        stage = Stage(lab, Path(folder))
        scenario.prepare(stage)
        with lab.capture(capture, filter="tcp"):
            scenario.play(stage)
        proof = wire.prove(capture, scenario.shows, decode_as="http2")
        target = HERE / scenario.file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(capture, target)
    return {
        "file": scenario.file,
        "server": {"library": scenario.server[0], "version": scenario.server[1]},
        "client": {"library": scenario.client[0], "version": scenario.client[1]},
        "what": scenario.what,
        "healthy": scenario.healthy,
        "proof": proof,
        "log": stage.log,
    }


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, SCENARIOS, record, HERE / "http2.toml", _HEAD))
