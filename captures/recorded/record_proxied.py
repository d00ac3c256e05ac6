# SPDX-License-Identifier: GPL-2.0-or-later
"""Records Socket.IO conversations through real proxies, on one side of the proxy, the other, or both.

    record_proxied.py list          the names of all scenarios
    record_proxied.py one NAME...   make these again
    record_proxied.py all           make all of them again

Three hosts in a row: the client, the proxy, the server. Client and server are those of the healthy
recordings and log what they send: `NAME.truth.jsonl` beside each recording (in one of both hops
each packet passes twice, and is to count once). Needs what record_healthy.py needs, and nginx (with
libnginx-mod-http-brotli-filter), haproxy, squid, tinyproxy, caddy and openssl.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import command_line
import index_file
from lab import DEVICE, Lab, LabError, Process, Side, node_env, npm_install, pip_install
from proxied_peers import proxies
from proxied_peers.proxies import Proxy
from record_healthy import NODE_2, NODE_2_CLIENT, NODE_4, PING_INTERVAL_MS, PYTHON_4, PYTHON_5, Peer

from eiosniff import app
from eiosniff.model.provenance import Side as Sender
from eiosniff.model.socketio import SioType

HERE = Path(__file__).resolve().parent
PEERS = HERE / "proxied_peers"
FOLDER = HERE / "proxied"
INDEX = HERE / "proxied.toml"
ATTEMPTS = 5
PARALLEL = 2
MAX_BYTES = 300_000
INDEX_HEAD = """\
# Written by record_proxied.py. `hop` says on which side of the proxy the recording was made; `truth`
# lists the Socket.IO packets that the peers logged as sent (on each hop, where it is "both").
"""
# Where a hop is recorded. Both at once as people do it on the proxy itself: on the device `any`.
PLACES: dict[str, tuple[Side, str]] = {
    "client": ("client", DEVICE),
    "server": ("server", DEVICE),
    "both": ("relay", "any"),
}


class ProxyLab(Lab):
    """client - proxy - server, each with a wire to the next; the proxy is the host "relay"."""

    proxy_ip, proxy_ip_inside = "10.77.0.3", "10.78.0.3"
    server_ip = "10.78.0.2"

    def _build(self) -> None:
        for side in get_args(Side):
            self._add_host(side)
        self._join("client", DEVICE, "relay", "toclient")
        self._join("relay", "toserver", "server", DEVICE)
        for number, device in enumerate(("toclient", "toserver"), start=3):
            self.run_ip("relay", ["link", "set", device, "address", f"02:00:00:00:00:0{number}"])
        ends: list[tuple[Side, str, str]] = [
            ("client", DEVICE, self.client_ip),
            ("relay", "toclient", self.proxy_ip),
            ("relay", "toserver", self.proxy_ip_inside),
            ("server", DEVICE, self.server_ip),
        ]
        for side, device, address in ends:
            self.run_ip(side, ["address", "add", f"{address}/24", "dev", device])

    def start_proxy(self, side: Side, proxy: Proxy, folder: Path) -> Process:
        """Returns once it listens."""
        process = self.start(side, proxy.command(folder / proxy.name, self.server_ip), ready=None)
        wait = f"until ss -Hltn | grep -q ':{proxy.port} '; do sleep 0.05; done"
        self.run(side, ["sh", "-c", wait], timeout=10)
        return process


@dataclass(frozen=True)
class Scenario:
    """`hops` are the recordings to make. `server_proxy` stands on the server's host, in front of it.

    `agent` is a package of npm and the class in it that makes the client ask a forward proxy; a Python client
    looks for one in its environment.
    """

    base: str
    server: Peer
    client: Peer
    way: str
    proxy: Proxy
    note: str
    hops: tuple[str, ...] = ("client", "server")
    server_proxy: Proxy | None = None
    agent: tuple[str, str] | None = None
    fetch: bool = False
    tls: bool = False
    fails: bool = False  # the client, as it is meant to
    variant: str = ""
    report: int = 3000
    server_options: dict[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()  # for the client, more than its own

    @property
    def name(self) -> str:
        return self.base + self.variant

    def path(self, hop: str) -> Path:
        return FOLDER / f"{self.base}-{hop}-hop{'s' if hop == 'both' else ''}{self.variant}.pcap"

    def truth(self, hop: str) -> Path:
        return self.path(hop).with_suffix(".truth.jsonl")

    def commands(self, folder: Path) -> tuple[tuple[list[str], dict[str, str]], tuple[list[str], dict[str, str]]]:
        """How to start server and client, each with its environment."""
        serve, server_env = self.server.program("server")
        talk, client_env = self.client.program("client")
        behind = proxies.SERVER_PORT + (self.server_proxy is not None)
        shared = {"path": "/socket.io", "report": self.report, "rounds": 1, "silence_ms": 3300, "port": behind}
        options: dict[str, Any] = {"pingInterval": PING_INTERVAL_MS, "pingTimeout": 4000, **self.server_options}
        if self.server.kind == "python":
            options = {"ping_interval": 1, "ping_timeout": 4, **self.server_options}
        for_server = {**shared, "side": "server", "truth": str(folder / "server"), "options": options}
        if self.tls:
            for_server["tls"] = _certificate(folder)
            serve[1] = str(PEERS / "tls_server.js")
        ways = ["polling", "websocket"] if self.way == "upgrade" else [self.way]
        scheme = "https" if self.tls else "http"
        host = ProxyLab.server_ip if self.proxy.forward else ProxyLab.proxy_ip
        port = behind if self.proxy.forward else self.proxy.port
        for_client: dict[str, Any] = {**shared, "side": "client", "truth": str(folder / "client")}
        for_client["url"] = f"{scheme}://{host}" + (f":{port}" if port != proxies.REVERSE_PORT else "")
        for_client["options"] = {"transports": ways, "rejectUnauthorized": False} if self.tls else {"transports": ways}
        asked = f"http://{ProxyLab.proxy_ip}:{self.proxy.port}"
        if self.agent is not None:
            package, name = self.agent
            for_client["agent"] = {"module": package.partition("@")[0], "name": name, "url": asked}
        elif self.proxy.forward:
            client_env = {**client_env, "http_proxy": asked}
        if self.packages:
            talk[0] = str(pip_install(*self.client.packages(), *self.packages))
        if self.client.kind == "node":
            talk[1] = str(PEERS / "client.js")
            for_client["fetch"] = self.fetch
            if self.fetch:
                for_client["options"]["extraHeaders"] = {"Accept-Encoding": "gzip, deflate, br"}
            more = [self.agent[0]] if self.agent else []
            client_env |= node_env(npm_install(f"{self.client.library('client')}@{self.client.version}", *more))
        return ([*serve, json.dumps(for_server)], server_env), ([*talk, json.dumps(for_client)], client_env)


def _certificate(folder: Path) -> dict[str, str]:
    made = {"key": str(folder / "key.pem"), "cert": str(folder / "cert.pem")}
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
    ]
    argv += ["-subj", "/CN=chat.example", "-keyout", made["key"], "-out", made["cert"]]
    done = Process(argv, {}, None).wait(20)
    if done.returncode:
        raise LabError(done.output)
    return made


EVERYWHERE = ("client", "server", "both")
NODE_HTTP = ("http-proxy-agent@7.0.2", "HttpProxyAgent")
ZSTANDARD = "backports.zstd==1.8.0"  # with it urllib3 asks for zstd
PLAIN = {"httpCompression": False}  # leave it to the proxy
NODE_TUNNEL = ("https-proxy-agent@7.0.6", "HttpsProxyAgent")


def scenarios() -> list[Scenario]:
    pair = NODE_4, NODE_4
    behind = proxies.behind_proxy_protocol()
    nginx = "nginx as the documentation of Socket.IO has it (HTTP/1.1 to the server, `Connection: upgrade` always)"
    revision = "a client of revision 3 is refused with 400 code 5, through nginx"
    http10 = "nginx as it comes: HTTP/1.0 and `Connection: close` to the server, so that only polling works"
    gzip = "nginx compresses the answers for a client that takes gzip, as browsers do"
    brotli = "nginx compresses the answers in br; the client uses `fetch`, told to ask for it (over TLS it does itself)"
    zstd = "caddy compresses the answers in zstd; the client is Python with the package backports.zstd"
    send = "haproxy in tcp mode tells the server by PROXY protocol {} for whom it connects; there nginx takes it off"
    both_ways = "squid as http_proxy of a Python client: absolute URIs for polling, a tunnel for the WebSocket"
    tunnels = "squid as a forward proxy for Node with https-proxy-agent: a tunnel for each connection"
    absolute = "tinyproxy as a forward proxy for Node with http-proxy-agent: absolute URIs"
    tiny = "tinyproxy as a forward proxy for Node with https-proxy-agent: a tunnel for each connection"
    tls = "squid as a forward proxy for Node with https-proxy-agent: TLS in the tunnels"
    denied = "squid refuses a tunnel to a port that is not 443, as it does by default: 403"
    return [
        Scenario("nginx", *pair, "upgrade", proxies.NGINX, nginx, EVERYWHERE),
        Scenario("haproxy", *pair, "upgrade", proxies.HAPROXY, "haproxy in http mode", EVERYWHERE),
        Scenario(
            "nginx", NODE_4, NODE_2_CLIENT, "polling", proxies.NGINX, revision, EVERYWHERE, fails=True,
            variant="-refused",
        ),
        Scenario("nginx-http10", *pair, "polling", proxies.NGINX_DEFAULT, http10),
        Scenario("nginx-gzip", NODE_2, PYTHON_4, "polling", proxies.NGINX_COMPRESSES, gzip, server_options=PLAIN),
        Scenario(
            "nginx-brotli", *pair, "polling", proxies.NGINX_BROTLI, brotli, ("client",), fetch=True,
            server_options=PLAIN,
        ),
        Scenario(
            "caddy-zstd", NODE_4, PYTHON_5, "polling", proxies.CADDY_ZSTD, zstd, ("client",), packages=(ZSTANDARD,),
            server_options=PLAIN,
        ),
        Scenario("nginx-python", PYTHON_5, PYTHON_5, "upgrade", proxies.NGINX, nginx),
        Scenario("haproxy-send-proxy", *pair, "upgrade", proxies.HAPROXY_V1, send.format(1), ("server",), behind),
        Scenario("haproxy-send-proxy-v2", *pair, "upgrade", proxies.HAPROXY_V2, send.format(2), ("server",), behind),
        Scenario("squid-python", NODE_4, PYTHON_5, "upgrade", proxies.SQUID, both_ways),
        Scenario("squid-connect", *pair, "upgrade", proxies.SQUID, tunnels, agent=NODE_TUNNEL),
        Scenario("tinyproxy-absolute", *pair, "polling", proxies.TINYPROXY, absolute, agent=NODE_HTTP),
        Scenario("tinyproxy-connect", *pair, "websocket", proxies.TINYPROXY, tiny, ("client",), agent=NODE_TUNNEL),
        Scenario(
            "squid-tls", *pair, "websocket", proxies.SQUID, tls, ("client",), agent=NODE_TUNNEL, tls=True, report=0
        ),
        Scenario(
            "squid", *pair, "polling", proxies.SQUID_REFUSES, denied, ("client",), agent=NODE_TUNNEL, fails=True,
            variant="-refused",
        ),
    ]  # fmt: skip


def record(scenario: Scenario) -> list[dict[str, Any]]:
    """Make the recordings and their truths; returns the entries for the index."""
    complaints: list[str] = []
    for _ in range(ATTEMPTS):
        record_once(scenario)
        complaints = [complaint for hop in scenario.hops for complaint in check(scenario, hop)]
        if not complaints:
            return [index_entry(scenario, hop) for hop in scenario.hops]
        print(f"{scenario.name}: once more, because of {complaints}", file=sys.stderr)
    raise LabError(f"{scenario.name}: {complaints}")


def record_once(scenario: Scenario) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ProxyLab() as lab:
        folder = Path(name)
        folder.chmod(0o755)
        (serve, server_env), (talk, client_env) = scenario.commands(folder)
        server = lab.start("server", serve, env=server_env)
        if scenario.server_proxy is not None:
            lab.start_proxy("server", scenario.server_proxy, folder)
        proxy = lab.start_proxy("relay", scenario.proxy, folder)
        with _captures(lab, scenario):
            result = lab.run("client", talk, env=client_env)
        for process in (proxy, server):
            process.stop()
        if bool(result.returncode) != scenario.fails:
            raise LabError(f"{scenario.name}: {result.output}\nserver:\n{server.output}\nproxy:\n{proxy.output}")
        logs = [folder / side for side in ("server", "client")]
        lines = [json.loads(line) for log in logs if log.exists() for line in log.read_text().splitlines()]
    if scenario.fails:
        return
    lines.sort(key=lambda line: float(line.pop("time")))
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    for hop in scenario.hops:
        if _has_truth(scenario):
            scenario.truth(hop).write_text(text)


@contextlib.contextmanager
def _captures(lab: ProxyLab, scenario: Scenario) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for hop in scenario.hops:
            side, device = PLACES[hop]
            # On `any` libpcap takes a slot of this length for each frame, and has too few of 256 KiB in its buffer.
            snaplen = 4096 if device == "any" else 0
            stack.enter_context(lab.capture(scenario.path(hop), side=side, device=device, snaplen=snaplen))
        yield


def _has_truth(scenario: Scenario) -> bool:
    """Whether its recordings show what the peers said."""
    return not scenario.fails and not scenario.tls


def check(scenario: Scenario, hop: str) -> list[str]:
    """What is wrong with a recording. Of two hops each packet may be seen twice."""
    path = scenario.path(hop)
    complaints = [f"{path.name}: {path.stat().st_size} bytes"] if path.stat().st_size > MAX_BYTES else []
    if not _has_truth(scenario):
        return complaints
    logged = [json.loads(line) for line in scenario.truth(hop).read_text().splitlines()]
    for side in Sender:
        told = [(line["type"], line["namespace"], line["event"]) for line in logged if line["side"] == side.label]
        seen = [
            (SioType(packet.socketio.type).name, packet.socketio.namespace, packet.socketio.event)
            for packet in app.decode([str(path)], app.Options())
            if packet.socketio is not None and packet.socketio.side is side
        ]
        if hop == "both":
            told, seen = sorted(told * (2 if len(seen) > len(told) else 1), key=str), sorted(seen, key=str)
        if told != seen:
            complaints.append(f"{path.name}: the {side.label} logged {told}, on the wire are {seen}")
    return complaints


def index_entry(scenario: Scenario, hop: str) -> dict[str, Any]:
    truth = {"truth": f"proxied/{scenario.truth(hop).name}"} if _has_truth(scenario) else {}
    return {
        "file": f"proxied/{scenario.path(hop).name}",
        **truth,
        "server": {"library": scenario.server.library("server"), "version": scenario.server.version},
        "client": {"library": scenario.client.library("client"), "version": scenario.client.version},
        "proxy": scenario.proxy.name,
        "hop": hop,
        "way": scenario.way,
        "healthy": not scenario.fails and not scenario.tls,
        "what": f"{scenario.note}; {'both hops' if hop == 'both' else f'the hop of the {hop}'}.",
    }


def write_index(new: list[dict[str, Any]]) -> None:
    """Put entries into the index, each at its place in the list of scenarios."""
    files = (f"proxied/{scenario.path(hop).name}" for scenario in scenarios() for hop in scenario.hops)
    index_file.write_index(INDEX, INDEX_HEAD, files, new)


def main() -> int:
    known = {scenario.name: scenario for scenario in scenarios()}
    return command_line.run(
        "Record conversations through real proxies.", known, lambda name: record(known[name]), write_index, PARALLEL
    )


if __name__ == "__main__":
    sys.exit(main())
