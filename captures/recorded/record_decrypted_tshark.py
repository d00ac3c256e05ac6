# SPDX-License-Identifier: GPL-2.0-or-later
"""Record what only tshark decrypts: TLS up to 1.2 with ciphers that are no AEAD, and QUIC; each with its keys in it.

    record_decrypted_tshark.py list
    record_decrypted_tshark.py one NAME...     records these, and updates their entries in decrypted_tshark.toml
    record_decrypted_tshark.py all

TLS is ended by HAProxy, which passes the bytes on as they are: `NAME.pcapng` is in front of it, `NAME-clear.pcap`
behind it, at the same time. Of QUIC the peers say what they sent. Needs what `lab.py` needs, editcap, haproxy, openssl,
node, and the packages named below from npm and PyPI.
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
from lab_kit import logged

HERE = Path(__file__).resolve().parent
PEERS = HERE / "decrypted_tshark_peers"
FOLDER = "decrypted_tshark"
NAME = "chat.example"
SERVER = ("socket.io", "4.8.4")
CLIENT = ("socket.io-client", "4.8.4")
QUIC = ("aioquic", "1.2.0")

_HEAD = """\
# Made by record_decrypted_tshark.py; change it there.
#
# clear   the same run behind the proxy that ends TLS: what TLS carried, byte for byte
# what    what happens on the wire
# log     what the peers said themselves; of QUIC: side, stream, length, SHA-256 of what was sent
"""

# Passes on what TLS carries as it is.
_HAPROXY = """
global
  tune.ssl.default-dh-param 2048
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen edge
  bind :443 ssl crt {folder}/both.pem {bind}
  server app 127.0.0.1:3000
"""


@dataclass(frozen=True)
class Run:
    """One scenario: how TLS is to be (`bind` is of HAProxy), or what is said over QUIC."""

    name: str
    what: str
    bind: str = ""
    tls: Mapping[str, Any] = field(default_factory=dict)  # options of node's TLS
    plan: Mapping[str, Any] = field(default_factory=dict)  # of the client
    quic: str = ""

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcapng"

    @property
    def clear(self) -> str:
        return f"{FOLDER}/{self.name}-clear.pcap"


_OLD = "ssl-max-ver TLSv1.2"
_OLDER = {"minVersion": "TLSv1"}
RUNS = (
    Run(
        "tls-1.2-ecdhe-aes128-sha",
        "Socket.IO over TLS 1.2 with ECDHE-RSA-AES128-SHA: CBC, encrypt-then-MAC as both support it.",
        f"{_OLD} ciphers ECDHE-RSA-AES128-SHA",
    ),
    Run(
        "tls-1.2-rsa-aes256-sha256",
        "Socket.IO by polling alone over TLS 1.2 with AES256-SHA256: CBC, RSA key exchange.",
        f"{_OLD} ciphers AES256-SHA256",
        plan={"options": {"transports": ["polling"]}},
    ),
    Run(
        "tls-1.2-camellia-resumed",
        "Two sessions, one after the other, over TLS 1.2 with Camellia; the second connection resumes the first.",
        f"{_OLD} ciphers ECDHE-RSA-CAMELLIA128-SHA256",
        tls={"ciphers": "ECDHE-RSA-CAMELLIA128-SHA256"},
        plan={"options": {"transports": ["websocket"]}, "again": True},
    ),
    Run(
        "tls-1.0-aes128-sha",
        "Socket.IO over TLS 1.0 with AES128-SHA: CBC with the IV of the record before.",
        "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.0 ciphers AES128-SHA:@SECLEVEL=0",
        tls={**_OLDER, "ciphers": "AES128-SHA:@SECLEVEL=0"},
    ),
    Run(
        "tls-1.1-aes256-sha",
        "Socket.IO over TLS 1.1 with ECDHE-RSA-AES256-SHA.",
        "ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.1 ciphers ECDHE-RSA-AES256-SHA:@SECLEVEL=0",
        tls={**_OLDER, "ciphers": "ECDHE-RSA-AES256-SHA:@SECLEVEL=0"},
    ),
    Run("quic-talk", "QUIC: several short streams in one datagram, an empty one, and a key update.", quic="talk"),
    Run("quic-bulk", "QUIC: two streams of 20 KB each way at the same time.", quic="bulk"),
)


class Stage:
    """A laboratory with the server and what is in front of it."""

    def __init__(self, lab: Lab, folder: Path, run: Run) -> None:
        self.lab, self.folder, self.run = lab, folder, run
        self.cert, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        self.keylog = folder / "keys.log"
        self.log: list[str] = []
        self.server: Any = None

    def prepare(self) -> None:
        if self.run.quic:
            argv = [str(pip_install("==".join(QUIC))), str(PEERS / "quic.py"), "server", "443", self.cert, self.key]
            self.server = self.lab.start("server", argv)
            return
        env = node_env(npm_install("@".join(SERVER)))
        argv = ["node", str(PEERS / "sio.js"), json.dumps({"role": "server", "port": 3000})]
        self.lab.start("server", argv, env=env)
        (self.folder / "both.pem").write_text(Path(self.cert).read_text() + Path(self.key).read_text())
        config = self.folder / "haproxy.cfg"
        config.write_text(_HAPROXY.format(folder=self.folder, bind=self.run.bind))
        self.lab.start("server", ["haproxy", "-W", "-db", "-f", str(config)], ready="Loading success")

    def play(self) -> None:
        if self.run.quic:
            argv = [str(pip_install("==".join(QUIC))), str(PEERS / "quic.py"), "client", Lab.server_ip, "443", NAME]
            self._run([*argv, self.cert, str(self.keylog), self.run.quic])
            return
        env = node_env(npm_install("@".join(CLIENT)))
        plan = {"role": "client", "address": Lab.server_ip, "name": NAME, "ca": self.cert, "tls": dict(self.run.tls)}
        argv = ["node", f"--tls-keylog={self.keylog}", str(PEERS / "sio.js"), json.dumps({**plan, **self.run.plan})]
        self._run(argv, env)

    def _run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        output = self.lab.run("client", argv, timeout=30, env=env).output
        self.log += _said(output)
        if not self.log:
            raise LabError(f"{argv}: it said nothing:\n{output}")
        if self.server is not None:
            self.log += _said(self.server.output)


def _said(output: str) -> list[str]:
    return logged(output)


def record(run: Run) -> index.Entry:
    """Make the recording, or both of them."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-tshark-") as name, Lab() as lab:
        folder = Path(name)
        _certify(folder)
        stage = Stage(lab, folder, run)
        stage.prepare()
        encrypted, clear = folder / "encrypted.pcap", folder / "clear.pcap"
        with contextlib.ExitStack() as captures:
            captures.enter_context(lab.capture(encrypted, filter="udp" if run.quic else "tcp port 443"))
            if not run.quic:
                captures.enter_context(lab.capture(clear, filter="tcp port 3000", device="lo"))
            stage.play()
        with_keys = folder / "keys.pcapng"
        argv = ["editcap", "--inject-secrets", f"tls,{stage.keylog}", str(encrypted), str(with_keys)]
        subprocess.run(argv, check=True)
        (HERE / FOLDER).mkdir(exist_ok=True)
        shutil.copy(with_keys, HERE / run.file)
        if not run.quic:
            shutil.copy(clear, HERE / run.clear)
    server, client = (QUIC, QUIC) if run.quic else (SERVER, CLIENT)
    return {
        "file": run.file,
        **({} if run.quic else {"clear": run.clear}),
        "server": {"library": server[0], "version": server[1]},
        "client": {"library": client[0], "version": client[1]},
        "what": run.what,
        "log": stage.log,
    }


def _certify(folder: Path) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"]
    argv += ["-days", "30", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:{Lab.server_ip}"]
    argv += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(argv, check=True, capture_output=True)


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, RUNS, record, HERE / "decrypted_tshark.toml", _HEAD))
