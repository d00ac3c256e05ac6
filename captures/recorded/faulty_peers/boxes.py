# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies in front of the servers of a recording, on the same host and at port 3000."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab import DEVICE, Process

from faulty_peers.peers import HERE
from faulty_peers.stage import Stage

# What the documentation of Socket.IO asks for, and what nginx does not do by itself.
NGINX_UPGRADES = """
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
"""
_WAITS = "until ss -Hltn | grep -q ':3000 '; do sleep 0.05; done"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def behind(
    start: Callable[[Stage], Process],
    ports: Sequence[int] = (3001,),
    device: str = DEVICE,
) -> Callable[[Stage], None]:
    """Plays a recording with a proxy in front of servers at these ports; on the device `lo` it
    shows what passes between the proxy and the servers."""

    def play(stage: Stage) -> None:
        for port in ports:
            stage.start_server(port=port)
        start(stage)
        stage.lab.run("server", ["sh", "-c", _WAITS], timeout=10)
        with stage.capture(device=device):
            stage.run_client()

    return play


def nginx(
    location: str = "",
    servers: Sequence[int] = (3001,),
    http: str = "",
) -> Callable[[Stage], Process]:
    """Nginx that passes everything on to the servers in turn; `location` and `http` are more lines
    of its configuration, at those places."""

    def start(stage: Stage) -> Process:
        folder = stage.folder / "nginx"
        folder.mkdir()
        for path in (stage.folder, folder):
            path.chmod(0o777)  # nginx gives up being root
        temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY)
        upstream = " ".join(f"server 127.0.0.1:{port};" for port in servers)
        config = folder / "nginx.conf"
        config.write_text(
            f"""\
daemon off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
{temporary}
    upstream socketio {{ {upstream} }}
    {http}
    server {{
        listen 3000;
        location / {{
            {location}
            proxy_pass http://socketio;
        }}
    }}
}}
"""
        )
        argv = ["nginx", "-e", "stderr", "-c", str(config)]
        return stage.lab.start("server", argv, ready=None)

    return start


def haproxy(frontend: str) -> Callable[[Stage], Process]:
    """Haproxy in http mode; `frontend` is more lines of its configuration."""

    def start(stage: Stage) -> Process:
        config = stage.folder / "haproxy.cfg"
        config.write_text(
            f"""\
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s

listen socketio
    bind :3000
    {frontend}
    server one 127.0.0.1:3001
"""
        )
        return stage.lab.start("server", ["haproxy", "-db", "-f", str(config)], ready=None)

    return start


def apache(passes: str, modules: Sequence[str] = ()) -> Callable[[Stage], Process]:
    """Apache httpd with mod_proxy and mod_proxy_http; `passes` says what it passes on, and how."""

    def start(stage: Stage) -> Process:
        folder = stage.folder / "apache"
        folder.mkdir()
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
        argv = ["apache2", "-DFOREGROUND", "-f", str(config)]
        return stage.lab.start("server", argv, ready=None)

    return start


def rewriting(connection: str) -> Callable[[Stage], Process]:
    """A proxy written by hand that puts this line in the place of `Connection` in each 101."""

    def start(stage: Stage) -> Process:
        argv = ["node", str(HERE / "rewriting_proxy.js"), connection]
        return stage.lab.start("server", argv, ready=None)

    return start
