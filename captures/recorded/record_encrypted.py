# SPDX-License-Identifier: GPL-2.0-or-later
"""Record what a capture cannot show without keys: TLS, HTTP/2 and HTTP/3, as peers of today speak them.

    record_encrypted.py list
    record_encrypted.py one NAME...     records these, and updates their entries in encrypted.toml
    record_encrypted.py all

Every recording is proved with tshark before it is kept. Needs what `lab.py` needs, tshark, curl with HTTP/2, nginx,
haproxy, Chromium, openssl, and the packages named below from npm and PyPI. The certificates are made anew each time.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import command_line
from faulty_peers import index, wire
from lab import Lab, node_env, npm_install, pip_install
from lab_kit import certify, chromium, logged, wait_for_port

HERE = Path(__file__).resolve().parent
PEERS = HERE / "encrypted_peers"
FOLDER = "encrypted"
NAME = "chat.example"
SERVER = "socket.io@4.8.4"
CLIENT = "socket.io-client@4.8.4"
AIOQUIC = "aioquic==1.2.0"
HYPERCORN = "hypercorn[h2]==0.17.3"
POLL = "/socket.io/?EIO=4&transport=polling"

_HEAD = """\
# Made by record_encrypted.py; change it there.
#
# what      what happens on the wire
# readable  whether there is Engine.IO in clear; the peers named are then those that speak it
# proof     the captured packets that decide it, found by display filters when it was recorded
# log       what the peers said themselves
"""

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 443 ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /page {{ default_type text/html; return 200 '{page}'; }}
    location / {{
      proxy_pass http://127.0.0.1:3000; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
  server {{
    listen 8080 http2;
    location / {{ proxy_pass http://127.0.0.1:3000; proxy_http_version 1.1; }}
  }}
}}
"""

# Passes TLS on unread to a server of HTTP/2, if the client offers that, and hangs up on everyone else.
_HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen edge
  bind :443
  tcp-request inspect-delay 5s
  tcp-request content reject if {{ req.ssl_hello_type 1 }} !{{ req.ssl_alpn -m sub h2 }}
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  server web 127.0.0.1:{port}
"""


_PAGE = f"""<!doctype html><script>
const url = "wss://{NAME}/socket.io/?EIO=4&transport=websocket";
new WebSocket(url);
</script>"""


class Stage:
    """One recording while it is made: the laboratory, a certificate for NAME, and the peers that can be asked for."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.cert, self.key = certify(folder, NAME, f"IP:{Lab.server_ip}")
        self.log: list[str] = []

    def node_server(self, **plan: object) -> None:
        env = node_env(npm_install(SERVER))
        self.lab.start("server", ["node", str(PEERS / "sio_tls.js"), json.dumps({"role": "server", **plan})], env=env)

    def tls_server(self, **plan: object) -> None:
        self.node_server(port=3443, cert=self.cert, key=self.key, **plan)

    def node_client(self, url: str, **plan: object) -> None:
        env = node_env(npm_install(CLIENT))
        whole = {"role": "client", "url": url, "address": Lab.server_ip, **plan}
        self.run(["node", str(PEERS / "sio_tls.js"), json.dumps(whole)], env)

    def nginx(self) -> None:
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder, page=_PAGE.replace("\n", "")))
        self.lab.start("server", ["nginx", "-c", str(config)], ready=None)
        self.wait_for(443)

    def h2_server(self, port: int) -> None:
        plan = {"port": port, "cert": self.cert, "key": self.key, "page": _PAGE}
        self.lab.start("server", ["node", str(PEERS / "h2_only.js"), json.dumps(plan)])

    def haproxy(self, to: int) -> None:
        config = self.folder / "haproxy.cfg"
        config.write_text(_HAPROXY.format(port=to))
        self.lab.start("server", ["haproxy", "-W", "-db", "-f", str(config)], ready="Loading success")

    def h3_server(self) -> None:
        python = str(pip_install(AIOQUIC))
        self.lab.start("server", [python, str(PEERS / "h3.py"), "server", "443", self.cert, self.key])

    def h3_client(self, what: str, address: str = Lab.server_ip) -> None:
        argv = [str(pip_install(AIOQUIC)), str(PEERS / "h3.py"), "client", address, "443", NAME, self.cert, what]
        self.run(argv)

    def hypercorn(self) -> None:
        python = str(pip_install(HYPERCORN))
        argv = [python, "-m", "hypercorn", "--bind", "0.0.0.0:8000", "h2c_app:app"]
        self.lab.start("server", argv, ready="Running on", env={"PYTHONPATH": str(PEERS)})

    def wait_for(self, port: int) -> None:
        """Until something listens at the server."""
        wait_for_port(self.lab, "server", port)

    def curl(self, url: str, *options: str) -> None:
        resolve = [f"{NAME}:{port}:{Lab.server_ip}" for port in (443, 3443, 8000, 8080)]
        argv = ["curl", "-sS", "--cacert", self.cert, *(word for each in resolve for word in ("--resolve", each))]
        version = "LOG HTTP/%{http_version} %{http_code}\n"
        self.run([*argv, "-o", "/dev/null", "-w", version, *options, url])

    def chromium(self) -> None:
        """A page over HTTP/2 that opens a WebSocket."""
        argv = [*chromium(self.folder / "profile", NAME, Lab.server_ip), "--ignore-certificate-errors"]
        argv += ["--timeout=2000", "--dump-dom", f"https://{NAME}/page"]
        self.lab.run("client", argv, timeout=60)

    def run(self, argv: Sequence[str], env: dict[str, str] | None = None) -> None:
        output = self.lab.run("client", argv, timeout=30, env=env).output
        self.log += logged(output)


@dataclass(frozen=True)
class Scenario:
    """What to record: `prepare` starts the servers, `play` is captured."""

    name: str
    server: tuple[str, str]
    client: tuple[str, str]
    what: str
    shows: Sequence[str]
    prepare: Callable[[Stage], None]
    play: Callable[[Stage], None]
    lacks: Sequence[str] = ()
    filter: str = "tcp"
    readable: bool = False  # there is Engine.IO in clear

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcap"


_SIO = ("socket.io", "4.8.4"), ("socket.io-client", "4.8.4")
_CURL = ("curl", "7.88.1")
_CHROMIUM = ("Chromium", "156.0.8078.108")
_SERVER_NAME = f'tls.handshake.extensions_server_name == "{NAME}"'
_HTTP_1_ALONE = f'{_SERVER_NAME} && tls.handshake.type == 1 && !(tls.handshake.extensions_alpn_str == "h2")'
_ALERT = "tls.alert_message.desc == 48"
_NO_PROTOCOL = "tcp.srcport == 443 && tls.alert_message.desc == 120"
_HANGS_UP = "tcp.srcport == 443 && tcp.flags.reset == 1 || tcp.srcport == 443 && tcp.flags.fin == 1"
_PREFACE = 'tcp.payload contains "PRI * HTTP/2.0"'
_QUIC = "udp.port == 443 && quic.long.packet_type == 0"


def _nginx_and_node(stage: Stage) -> None:
    stage.node_server(port=3000)
    stage.nginx()


def _haproxy_and_h2(stage: Stage) -> None:
    stage.h2_server(8443)
    stage.haproxy(8443)


def _node_and_h3(stage: Stage) -> None:
    stage.node_server(port=3000, transports=["polling", "websocket", "webtransport"])
    stage.h3_server()


def _in_clear(stage: Stage) -> None:
    stage.node_client(f"http://{NAME}:3000", transports=["polling"])


def _and_tls(stage: Stage) -> None:
    _in_clear(stage)
    stage.curl(f"https://{NAME}{POLL}", "--http2")


def _and_quic(stage: Stage, address: str, what: str) -> None:
    _in_clear(stage)
    stage.h3_client(what, address)


SCENARIOS = (
    Scenario(
        "wss-tls-1.3",
        *_SIO,
        "A session over wss:// with TLS 1.3: of the protocols, only the offer of the client is in clear.",
        [_SERVER_NAME, "tls.handshake.type == 2"],
        lambda stage: stage.tls_server(),
        lambda stage: stage.node_client(f"wss://{NAME}:3443", ca=stage.cert),
    ),
    Scenario(
        "wss-tls-1.2",
        *_SIO,
        "The same with TLS 1.2, the most that this server speaks: what it chose is in clear.",
        [_SERVER_NAME, "tls.handshake.type == 2 && tls.handshake.version == 0x0303", "tls.handshake.type == 11"],
        lambda stage: stage.tls_server(maxVersion="TLSv1.2"),
        lambda stage: stage.node_client(f"wss://{NAME}:3443", ca=stage.cert),
    ),
    Scenario(
        "https-unknown-ca",
        _SIO[0],
        _CURL,
        "The client does not trust the certificate (TLS 1.2): a fatal alert, unknown_ca, and the end. Twice.",
        [_SERVER_NAME, _ALERT],
        lambda stage: stage.tls_server(maxVersion="TLSv1.2"),
        lambda stage: _distrust(stage),  # noqa: PLW0108  # defined below
    ),
    Scenario(
        "https-without-a-name",
        *_SIO,
        "A session by polling over https:// to an address instead of a name: there is no server name in the hello.",
        ["tls.handshake.type == 1 && !tls.handshake.extensions_server_name"],
        lambda stage: stage.tls_server(),
        lambda stage: stage.node_client(f"https://{Lab.server_ip}:3443", ca=stage.cert, transports=["polling"]),
    ),
    Scenario(
        "https-http2-nginx",
        ("nginx", "1.22.1"),
        _CURL,
        "A handshake by polling through nginx over TLS and HTTP/2, which curl offers by ALPN.",
        [_SERVER_NAME + ' && tls.handshake.extensions_alpn_str == "h2"'],
        _nginx_and_node,
        lambda stage: stage.curl(f"https://{NAME}{POLL}", "--http2"),
    ),
    Scenario(
        "wss-chromium",
        ("nginx and socket.io", "1.22.1 and 4.8.4"),
        _CHROMIUM,
        "A page over TLS and HTTP/2, which opens a WebSocket over a connection of its own: that offers http/1.1 alone.",
        [f'{_SERVER_NAME} && tls.handshake.extensions_alpn_str == "h2"', _HTTP_1_ALONE],
        _nginx_and_node,
        lambda stage: stage.chromium(),
    ),
    Scenario(
        "wss-refused-by-alpn",
        ("node:http2", "20"),
        _CHROMIUM,
        "A page over TLS and HTTP/2, of a server that knows no HTTP/1.1: it answers the hello of the WebSocket's "
        "connection with the fatal alert no_application_protocol.",
        [f'{_SERVER_NAME} && tls.handshake.extensions_alpn_str == "h2"', _HTTP_1_ALONE, _NO_PROTOCOL],
        lambda stage: stage.h2_server(443),
        lambda stage: stage.chromium(),
    ),
    Scenario(
        "wss-hung-up",
        ("haproxy and node:http2", "2.6.12 and 20"),
        _CHROMIUM,
        "A page over TLS and HTTP/2, through a proxy that hangs up on every hello without an offer of h2: on that of "
        "the WebSocket's connection, too.",
        [f'{_SERVER_NAME} && tls.handshake.extensions_alpn_str == "h2"', _HTTP_1_ALONE, _HANGS_UP],
        _haproxy_and_h2,
        lambda stage: stage.chromium(),
    ),
    Scenario(
        "mixed-session-in-clear-and-tls",
        *_SIO,
        "A session in clear, and a connection over TLS to the proxy on the same host.",
        ["http.request", _SERVER_NAME],
        _nginx_and_node,
        _and_tls,
        readable=True,
    ),
    Scenario(
        "imaps",
        ("openssl s_server", "3.0"),
        ("openssl s_client", "3.0"),
        "TLS on the port of IMAP, without ALPN: this cannot be Socket.IO.",
        ["tcp.port == 993 && tls.handshake.type == 1"],
        lambda stage: _mail_server(stage),  # noqa: PLW0108  # likewise
        lambda stage: stage.run(
            ["bash", "-c", f"sleep 0.2 | openssl s_client -connect {Lab.server_ip}:993 -servername mail.example"]
        ),
    ),
    Scenario(
        "h2c-prior-knowledge",
        ("nginx", "1.22.1"),
        _CURL,
        "HTTP/2 in clear from the first byte: curl --http2-prior-knowledge.",
        [_PREFACE],
        _nginx_and_node,
        lambda stage: stage.curl(f"http://{NAME}:8080{POLL}", "--http2-prior-knowledge"),
    ),
    Scenario(
        "h2c-upgrade",
        ("hypercorn", "0.17.3"),
        _CURL,
        "HTTP/1.1 first, then HTTP/2 in clear by Upgrade: h2c (curl --http2).",
        ['http.upgrade == "h2c"', "http.response.code == 101"],
        lambda stage: stage.hypercorn(),
        lambda stage: stage.curl(f"http://{NAME}:8000{POLL}", "--http2"),
    ),
    Scenario(
        "http3-get",
        ("aioquic", "1.2.0"),
        ("aioquic", "1.2.0"),
        "A request over HTTP/3 on UDP port 443.",
        [_QUIC],
        lambda stage: stage.h3_server(),
        lambda stage: stage.h3_client("get"),
        filter="tcp or udp",
    ),
    Scenario(
        "http3-webtransport",
        ("aioquic", "1.2.0"),
        ("aioquic", "1.2.0"),
        "A WebTransport session over HTTP/3: without keys it looks like any other HTTP/3.",
        [_QUIC],
        lambda stage: stage.h3_server(),
        lambda stage: stage.h3_client("webtransport"),
        filter="tcp or udp",
    ),
    Scenario(
        "webtransport-offered",
        *_SIO,
        "A session by polling whose open packet offers WebTransport; and a WebTransport session to the same address, "
        "by aioquic on both sides.",
        ["http.request", _QUIC],
        _node_and_h3,
        lambda stage: _and_quic(stage, Lab.server_ip, "webtransport"),
        filter="tcp or udp",
        readable=True,
    ),
    Scenario(
        "mixed-session-in-clear-and-http3",
        *_SIO,
        "A session by polling, and HTTP/3 to another address, by aioquic on both sides.",
        ["http.request", _QUIC],
        _node_and_h3,
        lambda stage: _and_quic(stage, Lab.server_ip6, "get"),
        filter="tcp or udp",
        readable=True,
    ),
)


def _distrust(stage: Stage) -> None:
    """A curl that knows only the authorities of its system."""
    for _ in range(2):
        stage.curl(f"https://{NAME}:3443{POLL}", "--cacert", "/etc/ssl/certs/ca-certificates.crt")


def _mail_server(stage: Stage) -> None:
    argv = ["openssl", "s_server", "-accept", "993", "-cert", stage.cert, "-key", stage.key, "-quiet"]
    stage.lab.start("server", argv, ready=None)
    stage.wait_for(993)


def record(scenario: Scenario) -> index.Entry:
    """Make the recording and keep it if it shows what it is said to show."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-encrypted-") as folder, Lab() as lab:
        Path(folder).chmod(0o755)  # nginx reads its files as another user
        capture = Path(folder) / f"{scenario.name}.pcap"
        stage = Stage(lab, Path(folder))
        scenario.prepare(stage)
        with lab.capture(capture, filter=scenario.filter):
            scenario.play(stage)
        proof = wire.prove(capture, scenario.shows, 1, scenario.lacks)
        target = HERE / scenario.file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(capture, target)
    sides = {
        side: {"library": peer[0], "version": peer[1]}
        for side, peer in (("server", scenario.server), ("client", scenario.client))
    }
    return {
        "file": scenario.file,
        **sides,
        "what": scenario.what,
        "readable": scenario.readable,
        "proof": proof,
        "log": stage.log,
    }


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, SCENARIOS, record, HERE / "encrypted.toml", _HEAD))
