# SPDX-License-Identifier: GPL-2.0-or-later
"""Record HAR files: what Chromium, Firefox, Playwright and mitmproxy write of visits to a server, with the packets.

    record_har.py list
    record_har.py one NAME...     records these, and updates their entries in har.toml
    record_har.py all

Chromium's are made by the writer of DevTools itself, Firefox' by its Network Monitor, both headless. The requests for
scripts are left out (a filter in the panel does that), which keeps the files small. Needs what `lab.py` needs,
Chromium, firefox-esr, openssl, and the packages named below from npm and PyPI.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_line
from faulty_peers import index
from lab import Lab, LabError, node_env, npm_install, pip_install
from lab_kit import certify

HERE = Path(__file__).resolve().parent
PEERS = HERE / "har_peers"
FOLDER = HERE / "har"
SERVER = "4.8.4"
MITMPROXY = "11.0.2"
PLAYWRIGHT = "1.65.1"
WITH_PACKETS = "tcp port 3000 or tcp port 3001 or tcp port 8080"

_HEAD = """\
# Made by record_har.py; change it there.
#
# writer   the program that wrote the HAR, and its version
# what     what happens
# packets  the capture of the same run, where it was kept: sessions, packets and diagnosis are the same
# faults   the rules that find a fault, the first diagnosis first; none for a healthy run
"""

_DONE = "const done = (ms) => setTimeout(() => { document.title = 'DONE'; }, ms);"
_TALK = """
const talk = (socket) => socket.on("connect", () => {
  socket.emit("question", "why", () => {});
  setTimeout(() => socket.emit("picture", new Uint8Array([1, 2, 3]), () => {}), 700);
});"""
# A client that pings, as those of revision 3 did; the server of revision 4 closes (or, in Chrome's words, it ends).
_PINGS = """
const open = () => {
  const socket = new WebSocket(`ws://${location.host}/socket.io/?EIO=4&transport=websocket`);
  socket.onmessage = ({ data }) => {
    if (data.startsWith("0")) { socket.send("40"); setTimeout(() => socket.send("2"), 400); }
    if (data === "2") socket.send("3");
  };
  socket.onclose = () => setTimeout(open, 500);
};
open(); done(3600);"""


@dataclass(frozen=True)
class Run:
    """What to record: the `page` is the script of it, after `done(ms)` and `talk(socket)`."""

    name: str
    what: str
    page: str = ""
    faults: tuple[str, ...] = ()
    writer: str = "chromium"
    client: str = SERVER
    options: dict[str, Any] = field(default_factory=dict)  # of the server
    server: dict[str, Any] = field(default_factory=dict)  # more of its plan
    sanitize: bool = False
    packets: bool = False
    tls: bool = False

    @property
    def file(self) -> str:
        return f"har/{self.name}.har{'' if self.writer == 'mitmproxy' else '.gz'}"


RUNS = (
    Run(
        "chromium-upgrade",
        "Polling, upgrade, events, an acknowledgement, a binary event, disconnect.",
        "const s = io(); talk(s); setTimeout(() => s.disconnect(), 2000); done(2600);",
        packets=True,
    ),
    Run(
        "chromium-polling-open",
        "Polling only; the HAR is written while a poll is under way.",
        "talk(io({ transports: ['polling'] })); done(2500);",
        packets=True,
    ),
    Run(
        "chromium-websocket-open",
        "WebSocket only; the HAR is written while it is open.",
        "talk(io({ transports: ['websocket'] })); done(2500);",
        packets=True,
    ),
    Run(
        "chromium-eio3-refused",
        "A client of revision 3 (socket.io-client 2.5.0), which the server does not take.",
        "io({ reconnectionDelay: 500, reconnectionDelayMax: 600, randomizationFactor: 0 }); done(3000);",
        ("eio-unsupported-polling",),
        client="2.5.0",
        packets=True,
    ),
    Run(
        "chromium-client-ping",
        "A page with a WebSocket of its own pings in revision 4; the server ends each one.",
        _PINGS,
        ("client-ping-in-eio4",),
        packets=True,
    ),
    Run(
        "chromium-cors",
        "The page asks a server on another port that does not allow its origin.",
        "io(`http://${location.hostname}:3001`); done(4000);",
        ("cors-missing",),
        packets=True,
    ),
    Run(
        "chromium-refused",
        "Nothing listens on the port, neither for polling nor for WebSocket.",
        "const url = `http://${location.hostname}:3999`; io(url);"
        " io(url, { transports: ['websocket'], forceNew: true }); done(3500);",
        ("tcp-refused",),
    ),
    Run(
        "chromium-server-dies",
        "The server ends a second after the first session was opened; the client looks for it.",
        "talk(io()); talk(io({ transports: ['polling'], forceNew: true })); done(4000);",
        ("server-died",),
        server={"dieAfterMs": 1000},
    ),
    Run(
        "chromium-certificate",
        "The certificate of the server is not trusted.",
        "io(`https://${location.hostname}:3443`); done(3000);",
        ("request-failed",),
        tls=True,
    ),
    Run(
        "chromium-sanitized",
        "With a cookie and a token in auth; exported without secrets, as Chrome does by default since 130.",
        "document.cookie = 'session=d4c3b2a1'; const s = io({ auth: { token: 'e5f6a7b8c9d0' } }); talk(s); done(2000);",
        sanitize=True,
    ),
    Run(
        "firefox-upgrade",
        "Polling and upgrade in Firefox, which writes no WebSocket messages.",
        "const s = io(); talk(s); setTimeout(() => s.disconnect(), 2000); done(2600);",
        writer="firefox",
    ),
    Run(
        "firefox-polling-open",
        "Polling only, in Firefox.",
        "talk(io({ transports: ['polling'] })); done(2500);",
        writer="firefox",
        packets=True,
    ),
    Run(
        "firefox-cors-refused",
        "In Firefox: a server that does not allow the origin, and a port on which nothing listens.",
        "io(`http://${location.hostname}:3001`); io(`http://${location.hostname}:3999`); done(4000);",
        ("cors-missing", "request-failed"),
        writer="firefox",
    ),
    Run(
        "playwright-upgrade",
        "Polling, upgrade, events, an acknowledgement, a binary event, disconnect; recordHar of Playwright.",
        "const s = io(); talk(s); setTimeout(() => s.disconnect(), 2000); done(2600);",
        writer="playwright",
        packets=True,
    ),
    Run(
        "playwright-polling-open",
        "Polling only; Playwright ends while a poll is under way.",
        "talk(io({ transports: ['polling'] })); done(2500);",
        writer="playwright",
        packets=True,
    ),
    Run(
        "playwright-refused",
        "In Playwright: nothing listens on the port, neither for polling nor for WebSocket.",
        "const url = `http://${location.hostname}:3999`; io(url);"
        " io(url, { transports: ['websocket'], forceNew: true }); done(2500);",
        ("tcp-refused",),
        writer="playwright",
    ),
    Run(
        "mitmproxy-upgrade",
        "A client in Node behind mitmproxy (reverse mode): its flow file, and the HAR that mitmdump makes of it.",
        writer="mitmproxy",
        packets=True,
    ),
)


def _certificate(folder: Path) -> dict[str, str]:
    cert, key = certify(folder, "chat.example")
    return {"key": key, "cert": cert}


def _bundle(version: str) -> Path:
    """The script of socket.io-client for pages."""
    folder = npm_install(f"socket.io-client@{version}") / "node_modules" / "socket.io-client" / "dist"
    return next(path for path in (folder / "socket.io.min.js", folder / "socket.io.js") if path.exists())


def _visit(run: Run, lab: Lab, folder: Path, env: dict[str, str]) -> None:
    """A browser visits the page, and writes a HAR."""
    plan = {"url": f"http://{lab.server_ip}:3000/", "out": str(folder / "out.har"), "profile": str(folder / "profile")}
    argv = ["node", str(PEERS / f"{run.writer}.js"), json.dumps({**plan, "sanitize": run.sanitize})]
    if run.writer == "playwright":
        env = node_env(npm_install(f"playwright-core@{PLAYWRIGHT}"))
    result = lab.run("client", argv, env=env, timeout=120)
    if "LOG exported" not in result.output:
        raise LabError(result.output)


def _pass_through(lab: Lab, folder: Path, stack: ExitStack) -> None:
    """A client goes through mitmproxy, which writes a flow file; a HAR is made of that."""
    mitmdump = str(pip_install(f"mitmproxy=={MITMPROXY}").with_name("mitmdump"))
    flows, out = folder / "out.flows", folder / "out.har"
    confdir = ["--set", f"confdir={folder}/mitm"]
    mode = ["--mode", "reverse:http://127.0.0.1:3000", "-p", "8080"]
    proxy = lab.start("server", [mitmdump, *confdir, *mode, "-w", str(flows)], ready="listening")
    stack.callback(proxy.stop)
    env = node_env(npm_install(f"socket.io-client@{SERVER}"))
    lab.run("client", ["node", str(PEERS / "client.js"), f"http://{lab.server_ip}:8080"], env=env, timeout=30)
    proxy.stop()
    subprocess.run([mitmdump, *confdir, "-nr", str(flows), "--set", f"hardump={out}"], check=True, capture_output=True)


def record(run: Run) -> index.Entry:
    """Make the recording, and keep it; returns its entry for the index."""
    env = node_env(npm_install(f"socket.io@{SERVER}"))
    with tempfile.TemporaryDirectory(prefix="eiosniff-har-") as name, ExitStack() as stack:
        folder, lab = Path(name), stack.enter_context(Lab())
        plan = {
            "page": f"{_DONE}{_TALK}{run.page}",
            "script": f"http://{lab.server_ip}:3080/client.js",
            "client": str(_bundle(run.client)),
            "options": {"pingInterval": 1000, **run.options},
            **run.server,
            **(_certificate(folder) if run.tls else {}),
        }
        lab.start("server", ["node", str(PEERS / "server.js"), json.dumps(plan)], env=env, ready="LISTENING")
        with lab.capture(folder / "out.pcap", filter=WITH_PACKETS):
            if run.writer == "mitmproxy":
                _pass_through(lab, folder, stack)
            else:
                _visit(run, lab, folder, env)
        FOLDER.mkdir(exist_ok=True)
        text = (folder / "out.har").read_bytes()
        packed = gzip.compress(text, mtime=0) if run.file.endswith(".gz") else text
        (HERE / run.file).write_bytes(packed)
        for kept, suffix in (("out.flows", ".flows"), ("out.pcap", ".pcap")):
            if (folder / kept).exists() and (suffix != ".pcap" or run.packets):
                shutil.copy(folder / kept, FOLDER / f"{run.name}{suffix}")
    entry: index.Entry = {
        "file": run.file,
        "writer": {"name": run.writer, "version": _version(run.writer)},
        "server": {"library": "socket.io", "version": SERVER},
        "client": {"library": "socket.io-client", "version": run.client},
        "what": run.what,
        "faults": list(run.faults),
    }
    return {**entry, "packets": f"har/{run.name}.pcap"} if run.packets else entry


def _version(writer: str) -> str:
    if writer in ("mitmproxy", "playwright"):
        return {"mitmproxy": MITMPROXY, "playwright": PLAYWRIGHT}[writer]
    argv = {"chromium": ["chromium", "--version"], "firefox": ["firefox-esr", "--version"]}[writer]
    words = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return next(word for word in words if word[0].isdigit())


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, RUNS, record, HERE / "har.toml", _HEAD))
