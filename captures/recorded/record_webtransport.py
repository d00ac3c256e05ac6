# SPDX-License-Identifier: GPL-2.0-or-later
"""Record Engine.IO over WebTransport: Chromium, and a real Socket.IO server behind an HTTP/3 end.

    record_webtransport.py list
    record_webtransport.py one NAME...     records these, and updates their entries in webtransport.toml
    record_webtransport.py all

The browser is Chromium with its own WebTransport and the browser build of socket.io-client. The server is socket.io;
the package that gives Node WebTransport cannot be had everywhere, so QUIC and HTTP/3 end in aioquic
(`webtransport_peers/relay.py`), which hands the bytes of the stream over to it as they are. The key log of the browser
is put into the recording. Needs what `lab.py` needs, Chromium, openssl, and editcap.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_line
from faulty_peers import index
from lab import Lab, Process, node_env, npm_install, pip_install
from lab_kit import certify, chromium

HERE = Path(__file__).resolve().parent
PEERS = HERE / "webtransport_peers"
FOLDER = "webtransport"
NAME = "chat.example"
SERVER = "socket.io@4.8.4"
AIOQUIC = "aioquic==1.2.0"
NODE_PORT, LOG_PORT = 3001, 3002

_HEAD = """\
# Made by record_webtransport.py; change it there.
#
# what      what happens on the wire
# port      of the server, for TCP and for UDP
# healthy   whether nothing is wrong
# keys      whether the recording has the secrets of the browser's connections
# relayed   what stands between the wire and the server
# log       what the peers said themselves: PAGE is the browser
"""


def sent(text: str, *, header: int = -1) -> str:
    """A packet as engine.io-client frames it, in hexadecimal."""
    data = text.encode()
    return (bytes([len(data) if header < 0 else header]) + data).hex()


@dataclass(frozen=True)
class Scenario:
    """What to record: `plan` is for the page, `options` are the server's."""

    name: str
    what: str
    plan: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    healthy: bool = False
    tls: bool = False  # the page and its polling come over TLS, from port 443
    days: int = 10  # that the certificate is valid
    udp: bool = True  # the server answers QUIC
    refusal: str = ""  # the status with which it refuses WebTransport, "none" if its HTTP/3 does not know that
    middleware: bool = False  # of the engine
    filter: str = "port {}"  # what is recorded
    client: str = ""  # an older socket.io-client
    says: str = "PAGE done"

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcapng"

    @property
    def port(self) -> int:
        return 443 if self.tls else 3000


_ONLY = ["webtransport"]
_ALL = ["polling", "websocket", "webtransport"]
_BEATS = {"pingInterval": 5000, "pingTimeout": 2000}

SCENARIOS = (
    Scenario(
        "webtransport-only",
        "A session over WebTransport alone: events both ways, acknowledgements, binary, heartbeats; the client leaves.",
        {"transports": _ONLY, "sizes": [200], "binary": [100, 300], "stay": 5200},
        _BEATS,
        healthy=True,
    ),
    Scenario(
        "webtransport-upgrade",
        "Polling in clear, then an upgrade to WebTransport; the server ends the session.",
        {"transports": _ALL, "upgrade": 500, "sizes": [30], "binary": [40], "leave": "server"},
        healthy=True,
    ),
    Scenario(
        "webtransport-upgrade-tls",
        "The same with polling over TLS, as in the field; the client leaves.",
        {"transports": _ALL, "upgrade": 500, "binary": [40]},
        healthy=True,
        tls=True,
    ),
    Scenario(
        "webtransport-large",
        "A message of 66,000 bytes, whose length takes 64 bits, and one of 1,000.",
        {"transports": _ONLY, "binary": [66_000], "sizes": [1000]},
        healthy=True,
    ),
    Scenario(
        "webtransport-client-ping",
        "By hand: the client sends a ping in revision 4, and the server closes the session.",
        {"frames": [[0, sent("0")], [200, sent("40")], [200, sent("2")]], "stay": 500},
    ),
    Scenario(
        "webtransport-zero-length",
        "By hand: the client sends a packet of length 0, and the server closes the session.",
        {"frames": [[0, sent("0")], [200, sent("40")], [200, "00"]], "stay": 500},
    ),
    Scenario(
        "webtransport-over-max-payload",
        "By hand: the client announces a packet of 2,000,000 bytes, and the server closes the session at once.",
        {"frames": [[0, sent("0")], [200, sent("40")], [200, "7f00000000001e8480" + b"42[".hex()]], "stay": 500},
    ),
    Scenario(
        "webtransport-old-framing",
        "The client is of 4.7.1, which puts packets into the stream without a length: the server never understands it.",
        {"transports": _ONLY, "timeout": 1500},
        {"upgradeTimeout": 1000},
        client="4.7.1",
    ),
    Scenario(
        "webtransport-sid-unknown",
        "By hand: the client goes on with a session that the server does not know, which closes without a word.",
        {"frames": [[0, sent('0{"sid":"AAAAAAAAAAAAAAAAAAAA"}')], [100, sent("2probe")]], "stay": 500},
    ),
    Scenario(
        "webtransport-answered-404",
        "The HTTP/3 server has no WebTransport at that path (404): the client goes on over WebSocket.",
        {"transports": _ALL, "upgrade": 1000},
        refusal="404",
    ),
    Scenario(
        "webtransport-not-in-settings",
        "What answers QUIC speaks HTTP/3 and no WebTransport, as a CDN does: the client goes on over WebSocket.",
        {"transports": _ALL, "upgrade": 1000},
        refusal="none",
    ),
    Scenario(
        "webtransport-middleware",
        "The engine has a middleware: the server closes each WebTransport session at once. The client, which has no "
        "other transport, hears nothing until its time-out.",
        {"transports": _ONLY, "timeout": 1500},
        middleware=True,
        filter="udp port {}",
    ),
    Scenario(
        "webtransport-udp-blocked",
        "The server offers WebTransport, and nothing comes back over UDP (a socket takes all and answers nothing): "
        "the client goes on over WebSocket.",
        {"transports": _ALL, "upgrade": 3500},
        udp=False,
    ),
    Scenario(
        "webtransport-certificate-too-long",
        "The page trusts the certificate by its hash, but it is valid for more than 14 days: the browser ends the QUIC "
        "handshake with an alert, and goes on over WebSocket.",
        {"transports": _ALL, "upgrade": 3500},
        days=30,
    ),
)

_SINK = "import socket,time; s=socket.socket(2,2); s.bind(('', {port})); print('LISTENING', flush=True); time.sleep(99)"


class Stage:
    """One recording while it is made."""

    def __init__(self, scenario: Scenario, lab: Lab, folder: Path) -> None:
        self.scenario = scenario
        self.lab = lab
        self.folder = folder
        self.keys = folder / "keys.log"
        self.cert, self.key = certify(folder, NAME, days=scenario.days)
        self.hash = hashlib.sha256(self._openssl("x509", "-outform", "DER", "-in", self.cert)).hexdigest()

    def _openssl(self, *args: str, given: bytes | None = None) -> bytes:
        return subprocess.run(["openssl", *args], input=given, check=True, capture_output=True).stdout

    def public_key(self) -> str:
        """What Chromium takes as the certificate of anyone (`--ignore-certificate-errors-spki-list`)."""
        public = self._openssl("x509", "-pubkey", "-noout", "-in", self.cert)
        der = self._openssl("pkey", "-pubin", "-outform", "DER", given=public)
        return self._openssl("base64", given=hashlib.sha256(der).digest()).decode().strip()

    def start(self) -> Process:
        """The servers; returns the one in Node."""
        scenario, tls = self.scenario, {"cert": self.cert, "key": self.key} if self.scenario.tls else {}
        plan: dict[str, Any] = {"port": scenario.port, "nodePort": NODE_PORT, "logPort": LOG_PORT, **tls}
        plan |= {"options": scenario.options, "middleware": scenario.middleware}
        if scenario.client:
            client = npm_install(f"socket.io-client@{scenario.client}") / "node_modules/socket.io-client"
            plan["client"] = str(client / "dist/socket.io.js")
        argv = ["node", str(PEERS / "server.js"), json.dumps(plan)]
        node = self.lab.start("server", argv, env=node_env(npm_install(SERVER)))
        if scenario.udp:
            relay = [str(PEERS / "relay.py"), str(scenario.port), self.cert, self.key, str(NODE_PORT)]
            relay += [scenario.refusal] if scenario.refusal else []
            self.relay = self.lab.start("server", [str(pip_install(AIOQUIC)), *relay])
        else:
            self.relay = self.lab.start("server", [sys.executable, "-c", _SINK.format(port=scenario.port)])
        return node

    def browse(self) -> Process:
        scenario = self.scenario
        scheme = "https" if scenario.tls else "http"
        host = f"{scheme}://{NAME}" + ("" if scenario.tls else f":{scenario.port}")
        plan = {"host": host, "log": f"{scheme}://{NAME}:{LOG_PORT}", "certificate": self.hash, **scenario.plan}
        argv = chromium(self.folder / "profile", NAME, Lab.server_ip)
        argv += [f"--unsafely-treat-insecure-origin-as-secure=http://{NAME}:{scenario.port}"]
        argv += [f"--ignore-certificate-errors-spki-list={self.public_key()}"]
        url = f"{host}/page?{urllib.parse.quote(json.dumps(plan))}"
        return self.lab.start("client", [*argv, url], ready=None, env={"SSLKEYLOGFILE": str(self.keys)})


def record(scenario: Scenario) -> index.Entry:
    """Make the recording, with the secrets in it."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-webtransport-") as name, Lab() as lab:
        folder = Path(name)
        stage = Stage(scenario, lab, folder)
        node = stage.start()
        with lab.capture(folder / "raw.pcapng", filter=scenario.filter.format(scenario.port), format="pcapng"):
            browser = stage.browse()
            node.wait_for(scenario.says, 20)
            browser.stop(grace=3)
        log = [line for line in node.output.splitlines() if line.startswith(("LOG ", "PAGE "))]
        log += [line for line in stage.relay.output.splitlines() if line.startswith("LOG ")]
        target = HERE / scenario.file
        target.parent.mkdir(exist_ok=True)
        keys = stage.keys.exists() and stage.keys.stat().st_size > 0
        secrets = ["--inject-secrets", f"tls,{stage.keys}"] if keys else []
        subprocess.run(["editcap", *secrets, str(folder / "raw.pcapng"), str(target)], check=True, capture_output=True)
    return {
        "file": scenario.file,
        "server": {"library": "socket.io", "version": SERVER.partition("@")[2]},
        "client": {"library": "socket.io-client", "version": scenario.client or "4.8.4", "runs_in": "Chromium 156"},
        "what": scenario.what,
        "port": scenario.port,
        "healthy": scenario.healthy,
        "keys": keys,
        "relayed": "QUIC and HTTP/3 by aioquic 1.2.0",
        "log": log,
    }


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, SCENARIOS, record, HERE / "webtransport.toml", _HEAD))
