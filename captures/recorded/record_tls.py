# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the same runs encrypted and in clear: what is said of both must be the same.

    record_tls.py list
    record_tls.py one NAME...     records these, and updates their entries in tls.toml
    record_tls.py all

`tls/NAME.pcapng` is the encrypted one, with its keys in it (decryption secrets); `tls/NAME-clear.pcap` the clear one.
Behind a proxy that ends TLS both are of one run, captured at once in front of it and behind it. Where the server ends
TLS by itself, the clear one is a second run of the same programs with the same plans.

Needs what `lab.py` needs, editcap, tshark, nginx, Chromium, openssl, and the packages named below from npm and PyPI.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_line
from faulty_peers import index
from lab import Lab, LabError, node_env, npm_install, pip_install
from lab_kit import certify, chromium, logged, wait_for_port

HERE = Path(__file__).resolve().parent
PEERS = HERE / "tls_peers"
FOLDER = "tls"
NAME = "chat.example"
SERVER = ("socket.io", "4.8.4")
NODE_4 = ("socket.io-client", "4.8.4")
NODE_2 = ("socket.io-client", "2.5.0")
WS = ("ws", "8.23.0")
PYTHON = ("python-socketio", "5.18.1")
CHROMIUM = ("Chromium", "156.0.8078.108")
AIOHTTP = "aiohttp==3.14.5"

_HEAD = """\
# Made by record_tls.py; change it there.
#
# clear   the recording of the same run in clear; same_run says whether it is that very run, in front of a proxy
#         and behind it, or another one with the same plans
# what    what happens on the wire
# log     what the peers said themselves
"""

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 443 ssl {http2}; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://127.0.0.1:3000; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Run:
    """One scenario: `nginx` is what ends TLS ("" for the server itself, "http1", "http2"), `client` who connects,
    `plan` what it is told; `server` is what the server is told."""

    name: str
    client: tuple[str, str]
    what: str
    nginx: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcapng"

    @property
    def clear(self) -> str:
        return f"{FOLDER}/{self.name}-clear.pcap"


_TLS_1_2 = {"maxVersion": "TLSv1.2"}
RUNS = (
    Run("node-tls-1.3", NODE_4, "Polling, upgrade, events, binary, heartbeats, goodbye; TLS 1.3, the server ends it."),
    Run("node-tls-1.2", NODE_4, "The same with TLS 1.2.", server=_TLS_1_2),
    Run("node-polling-tls-1.3", NODE_4, "The same by polling alone.", plan={"options": {"transports": ["polling"]}}),
    Run("python-tls-1.3", PYTHON, "The same with python-socketio on aiohttp."),
    Run("python-tls-1.2", PYTHON, "The same with TLS 1.2.", server=_TLS_1_2),
    Run("chromium-tls-1.3", CHROMIUM, "A page that does the same in Chromium; the server ends TLS."),
    Run("node-nginx", NODE_4, "Node through nginx, which ends TLS.", "http1"),
    Run("python-nginx", PYTHON, "python-socketio through nginx, which ends TLS.", "http1"),
    Run("chromium-nginx-http2", CHROMIUM, "A page in Chromium polls over HTTP/2, and upgrades over HTTP/1.1.", "http2"),
    Run(
        "chromium-nginx-http2-polling",
        CHROMIUM,
        "A page in Chromium that polls over HTTP/2, and does not upgrade.",
        "http2",
        server={"page": {"options": {"transports": ["polling"]}}},
    ),
    Run("eio3-refused-nginx", NODE_2, "An old client, whose EIO=3 the server refuses; through nginx.", "http1"),
    Run("eio3-refused-tls-1.3", NODE_2, "The same without a proxy."),
    Run(
        "client-ping-tls-1.3",
        WS,
        "A client that opens with EIO=4 and sends a ping, as only the server may; three times.",
        plan={"raw": True, "lives": 3},
    ),
    Run(
        "client-ping-nginx",
        WS,
        "The same through nginx.",
        "http1",
        plan={"raw": True, "lives": 3},
    ),
)


class Stage:
    """A laboratory with the server and what is in front of it."""

    def __init__(self, lab: Lab, folder: Path, run: Run, *, tls: bool) -> None:
        self.lab, self.folder, self.run, self.tls = lab, folder, run, tls
        self.cert, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        self.keylog = folder / "keys.log"
        self.log: list[str] = []

    @property
    def port(self) -> int:
        return 443 if self.tls else 3000

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{NAME}:{self.port}"

    def prepare(self) -> None:
        plan: dict[str, Any] = {"port": 3000, "page": {}, **self.run.server}
        if self.tls and not self.run.nginx:
            plan |= {"port": 443, "cert": self.cert, "key": self.key}
        env = node_env(npm_install("@".join(SERVER)))
        self.server = self.lab.start("server", ["node", str(PEERS / "server.js"), json.dumps(plan)], env=env)
        if self.tls and self.run.nginx:
            config = self.folder / "nginx.conf"
            config.write_text(_NGINX.format(folder=self.folder, http2="http2" if self.run.nginx == "http2" else ""))
            self.lab.start("server", ["nginx", "-c", str(config)], ready=None)
            wait_for_port(self.lab, "server", 443)

    def play(self) -> None:
        library = self.run.client[0]
        ca = self.cert if self.tls else None
        plan = {"url": self.url, "ca": ca, **self.run.plan}
        if library == CHROMIUM[0]:
            self._browse()
        elif library == PYTHON[0]:
            python = pip_install("==".join(self.run.client), AIOHTTP)
            self._run([str(python), str(PEERS / "client.py"), json.dumps({**plan, "keylog": str(self.keylog)})])
        else:
            env = node_env(npm_install("@".join(self.run.client)))
            flags = [f"--tls-keylog={self.keylog}"] if self.tls else []
            self._run(["node", *flags, str(PEERS / "client.js"), json.dumps(plan)], env)

    def _browse(self) -> None:
        argv = chromium(self.folder / f"profile-{self.port}", NAME, Lab.server_ip)
        argv += ["--ignore-certificate-errors", "--disable-sync"]
        argv += ["--remote-debugging-port=0", f"{self.url}/page"]
        env = {"SSLKEYLOGFILE": str(self.keylog)} if self.tls else {}
        browser = self.lab.start("client", argv, ready=None, env=env)
        self.server.wait_for("LOG disconnect")
        browser.stop()
        self._note(self.server.output)

    def _run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._note(self.lab.run("client", argv, timeout=30, env=env).output)

    def _note(self, output: str) -> None:
        said = logged(output)
        if not said:
            raise LabError(f"the peer said nothing:\n{output}")
        self.log += said


def record(run: Run) -> index.Entry:
    """Make both recordings."""
    log: list[str] = []
    with tempfile.TemporaryDirectory(prefix="eiosniff-tls-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx reads its files as another user
        certify(folder, NAME, f"IP:{Lab.server_ip}")
        encrypted, clear = folder / "tls.pcap", folder / "clear.pcap"
        for tls in (True,) if run.nginx else (True, False):
            with Lab() as lab, contextlib.ExitStack() as captures:
                lab.name("client", NAME, Lab.server_ip)
                stage = Stage(lab, folder, run, tls=tls)
                stage.prepare()
                target = encrypted if tls else clear
                captures.enter_context(lab.capture(target, filter=f"tcp port {stage.port}"))
                if run.nginx:
                    captures.enter_context(lab.capture(clear, filter="tcp port 3000", device="lo"))
                stage.play()
                captures.close()
                log = log or stage.log
        with_keys = folder / "tls.pcapng"
        subprocess.run(
            ["editcap", "--inject-secrets", f"tls,{folder / 'keys.log'}", str(encrypted), str(with_keys)], check=True
        )
        (HERE / FOLDER).mkdir(exist_ok=True)
        shutil.copy(with_keys, HERE / run.file)
        shutil.copy(clear, HERE / run.clear)
    return {
        "file": run.file,
        "clear": run.clear,
        "same_run": bool(run.nginx),
        "server": {
            "library": SERVER[0],
            "version": SERVER[1],
            **({"behind": f"nginx, {run.nginx}"} if run.nginx else {}),
        },
        "client": {"library": run.client[0], "version": run.client[1]},
        "what": run.what,
        "log": log,
    }


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, RUNS, record, HERE / "tls.toml", _HEAD))
