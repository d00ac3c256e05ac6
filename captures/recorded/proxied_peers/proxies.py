# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxies of the recordings: real ones, with the configuration that people write for Socket.IO.

A proxy listens on port 80 of its host (3128 if it is a forward proxy) and asks the server on port 3000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REVERSE_PORT = 80
FORWARD_PORT = 3128
SERVER_PORT = 3000


@dataclass(frozen=True)
class Proxy:
    """`config` makes the text of the configuration file from a folder for state and the server's address;
    `argv` is the command, to which the path of that file is added."""

    name: str
    argv: tuple[str, ...]
    config: Callable[[Path, str], str]
    port: int = REVERSE_PORT

    @property
    def forward(self) -> bool:
        return self.port == FORWARD_PORT

    def command(self, folder: Path, server: str) -> list[str]:
        """Write the configuration; returns how to start the proxy in the foreground."""
        folder.mkdir()
        folder.chmod(0o777)  # nginx, squid and tinyproxy give up being root
        path = folder / "config"
        path.write_text(self.config(folder, server))
        return [*self.argv, str(path)]


def nginx_config(folder: Path, server: str, http: str = "", main: str = "") -> str:
    """The configuration of an nginx in the foreground, whose state is in this folder, with these server, http and
    main blocks."""
    temp = "\n".join(
        f"    {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""\
daemon off;
{main}
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
{temp}
    {http}
    server {{
        {server}
    }}
}}
"""


def _nginx(
    location: str, http: str = "", listen: str = f"{REVERSE_PORT}", main: str = ""
) -> Callable[[Path, str], str]:
    def config(folder: Path, server: str) -> str:
        block = f"""\
listen {listen};
        location / {{
            proxy_pass http://{server}:{SERVER_PORT};
            {location}
        }}"""
        return nginx_config(folder, block, http, main)

    return config


# As the documentation of Socket.IO has it (section "Behind a reverse proxy").
NGINX_UPGRADE = """\
proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"""
# Of Debian's package libnginx-mod-http-brotli-filter.
BROTLI_MODULE = "load_module /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so;"
NGINX_GZIP = "gzip on; gzip_types text/plain application/octet-stream; gzip_min_length 256;"


def _haproxy(backend: str, bind: str = f":{REVERSE_PORT}", mode: str = "http") -> Callable[[Path, str], str]:
    def config(_folder: Path, server: str) -> str:
        return f"""\
global
    maxconn 50

defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h

listen socketio
    bind {bind}
    server one {server}:{SERVER_PORT} {backend}
"""

    return config


def _squid(allowed: str) -> Callable[[Path, str], str]:
    def config(folder: Path, _server: str) -> str:
        return f"""\
http_port {FORWARD_PORT}
acl CONNECT method CONNECT
acl SSL_ports port 443
{allowed}
http_access allow all
cache deny all
access_log none
cache_log {folder}/cache.log
cache_store_log none
pid_filename {folder}/pid
coredump_dir {folder}
shutdown_lifetime 0 seconds
visible_hostname proxy
pinger_enable off
"""

    return config


def _tinyproxy(_folder: Path, _server: str) -> str:
    return f"Port {FORWARD_PORT}\nTimeout 60\nMaxClients 20\nLogLevel Error\n"


def _caddy(_folder: Path, server: str) -> str:
    encode = "encode {\n\t\tzstd\n\t\tminimum_length 256\n\t\tmatch header Content-Type text/plain*\n\t}"
    return f"""\
{{
	admin off
	auto_https off
}}
:{REVERSE_PORT} {{
	{encode}
	reverse_proxy {server}:{SERVER_PORT}
}}
"""


def nginx(name: str, location: str, http: str = "", main: str = "") -> Proxy:
    return Proxy(name, ("nginx", "-e", "stderr", "-c"), _nginx(location, http, main=main))


def haproxy(name: str, backend: str = "", mode: str = "http") -> Proxy:
    return Proxy(name, ("haproxy", "-db", "-f"), _haproxy(backend, mode=mode))


NGINX = nginx("nginx", NGINX_UPGRADE)
# What nginx does if nobody tells it otherwise: HTTP/1.0 to the server, and a connection for each request.
NGINX_DEFAULT = nginx("nginx-http10", "")
NGINX_COMPRESSES = nginx("nginx-gzip", NGINX_UPGRADE, f"{NGINX_GZIP} gzip_proxied any; gzip_http_version 1.0;")
HAPROXY = haproxy("haproxy")
HAPROXY_V1 = haproxy("haproxy-send-proxy", "send-proxy", mode="tcp")
HAPROXY_V2 = haproxy("haproxy-send-proxy-v2", "send-proxy-v2", mode="tcp")
SQUID = Proxy("squid", ("squid", "-N", "-f"), _squid(""), FORWARD_PORT)
# Squid's own default for CONNECT.
SQUID_REFUSES = Proxy(
    "squid-refuses", ("squid", "-N", "-f"), _squid("http_access deny CONNECT !SSL_ports"), FORWARD_PORT
)
TINYPROXY = Proxy("tinyproxy", ("tinyproxy", "-d", "-c"), _tinyproxy, FORWARD_PORT)
NGINX_BROTLI = nginx(
    "nginx-brotli", NGINX_UPGRADE, "brotli on; brotli_types text/plain; brotli_min_length 256;", main=BROTLI_MODULE
)
CADDY_ZSTD = Proxy("caddy-zstd", ("caddy", "run", "--adapter", "caddyfile", "--config"), _caddy)


def behind_proxy_protocol() -> Proxy:
    """An nginx on the server's own host that takes the PROXY header off, since no Socket.IO server does."""
    config = _nginx(NGINX_UPGRADE, listen=f"{SERVER_PORT} proxy_protocol")

    def to_itself(folder: Path, _server: str) -> str:
        return config(folder, "127.0.0.1").replace(f"127.0.0.1:{SERVER_PORT}", f"127.0.0.1:{SERVER_PORT + 1}")

    return Proxy("nginx-proxy-protocol", ("nginx", "-e", "stderr", "-c"), to_itself, SERVER_PORT)
