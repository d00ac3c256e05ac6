# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies in front of the servers of a recording, on the same host.

Unless told otherwise a proxy listens on port 3000 and the one server behind it on port 3001. What
passes between the two is on the device `lo`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import DEVICE, node_env, npm_install
from proxied_peers.proxies import NGINX_UPGRADE, nginx_config

from faulty_peers.peers import HERE, WS
from faulty_peers.stage import Stage

Start = Callable[[Stage], None]

PAIR = (3001, 3002)
NGINX_TO_SERVER = f"proxy_pass http://127.0.0.1:3001; {NGINX_UPGRADE}"
# With it haproxy sends a client whose cookie it set to the same server again.
HAPROXY_COOKIE = "cookie lb insert indirect nocache"


def behind(start: Start, ports: Sequence[int] = (3001,), device: str = DEVICE) -> Callable[[Stage], None]:
    """Plays a recording with this proxy in front of servers at these ports."""

    def play(stage: Stage) -> None:
        serve_behind(stage, start, ports)
        stage.visit(device=device)

    return play


def serve_behind(stage: Stage, start: Start, ports: Sequence[int] = (3001,)) -> None:
    """Start the servers, and the proxy in front of them."""
    for port in ports:
        stage.start_server(port=port)
    start(stage)


def nginx(location: str = "", servers: Sequence[int] = (3001,), port: int = 3000) -> Start:
    """Nginx that passes everything on to the servers in turn; `location` is what else it says there."""
    upstream = " ".join(f"server 127.0.0.1:{one};" for one in servers)
    passes = f"location / {{ {location} proxy_pass http://socketio; }}"
    return nginx_with(passes, http=f"upstream socketio {{ {upstream} }}", port=port)


def nginx_with(*server: str, http: str = "", main: str = "", port: int = 3000) -> Start:
    """Nginx with these lines in its server block, `http` in its http block and `main` outside of both."""

    def start(stage: Stage) -> None:
        folder = _folder(stage, "nginx")
        config = folder / "nginx.conf"
        lines = "\n        ".join([f"listen {port};", *server])
        config.write_text(nginx_config(folder, lines, http, main))
        _start(stage, ["nginx", "-e", "stderr", "-c", str(config)], port)

    return start


def haproxy(*lines: str, servers: Sequence[int] = (3001,), port: int = 3000) -> Start:
    """Haproxy in http mode in front of servers that it takes in turn; `lines` is what else it says of them."""

    def start(stage: Stage) -> None:
        more = "\n".join(f"    {line}" for line in lines)
        last = "\n".join(f"    server at{one} 127.0.0.1:{one} cookie at{one}" for one in servers)
        config = _folder(stage, "haproxy") / "haproxy.cfg"
        config.write_text(
            f"""\
global
    maxconn 50

defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s

listen socketio
    bind :{port}
{more}
{last}
"""
        )
        _start(stage, ["haproxy", "-db", "-f", str(config)], port)

    return start


def apache(passes: str, *modules: str) -> Start:
    """Apache httpd with mod_proxy, mod_proxy_http and these modules; `passes` says what it passes on, and how."""

    def start(stage: Stage) -> None:
        folder = _folder(stage, "apache")
        loaded = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", *modules)
        load = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in loaded)
        config = folder / "apache.conf"
        config.write_text(
            f"""\
ServerName chat.example
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 3000
{load}
{passes}
"""
        )
        _start(stage, ["apache2", "-DFOREGROUND", "-f", str(config)], 3000)

    return start


def squid(*lines: str) -> Start:
    """Squid as an accelerator in front of the server; `lines` is what else it says."""

    def start(stage: Stage) -> None:
        config = _folder(stage, "squid") / "squid.conf"
        more = "\n".join(lines)
        config.write_text(
            f"""\
http_port 3000 accel defaultsite=chat.example no-vhost
cache_peer 127.0.0.1 parent 3001 0 no-query originserver
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
{more}
"""
        )
        _start(stage, ["squid", "-N", "-f", str(config)], 3000)

    return start


def by_hand(**plan: object) -> Start:
    """The proxy hand_proxy.js, which does what this plan says."""

    def start(stage: Stage) -> None:
        argv = ["node", str(HERE / "hand_proxy.js"), json.dumps({"to": 3001, **plan})]
        stage.lab.start("server", argv, env=node_env(npm_install(WS)))

    return start


def by_age(age_ms: int) -> Start:
    """The proxy age_proxy.js, which ends each connection when it is that old."""

    def start(stage: Stage) -> None:
        argv = ["node", str(HERE / "age_proxy.js"), json.dumps({"to": 3001, "ageMs": age_ms})]
        stage.lab.start("server", argv)

    return start


def _folder(stage: Stage, name: str) -> Path:
    """For the configuration and the state of a proxy, which may give up being root."""
    folder = stage.folder / name
    folder.mkdir()
    for path in (stage.folder, folder):
        path.chmod(0o777)
    return folder


def _start(stage: Stage, argv: Sequence[str], port: int) -> None:
    """In the background; returns once it listens."""
    stage.lab.start("server", argv, ready=None)
    wait = f"until ss -Hltn | grep -q ':{port} '; do sleep 0.05; done"
    stage.lab.run("server", ["sh", "-c", wait], timeout=10)
