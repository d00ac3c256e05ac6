# SPDX-License-Identifier: GPL-2.0-or-later
"""One request of a Python client over TLS: clients.py LIBRARY URL ADDRESS CA"""

import asyncio
import socket
import sys
from pathlib import Path

library, url, address, ca = sys.argv[1:]
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(address, *rest, **more)

if library == "requests":
    import requests

    print("LOG", requests.get(url, verify=ca, timeout=5).status_code)
elif library == "websocket-client":
    import websocket

    connection = websocket.create_connection(url.replace("https", "wss"), sslopt={"ca_certs": ca})
    print("LOG", connection.recv()[:1])
    connection.close()
elif library == "aiohttp":
    import ssl

    import aiohttp

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            context = ssl.create_default_context(cafile=ca)
            async with session.ws_connect(url, ssl=context) as connection:
                print("LOG", (await connection.receive()).data[:1])

    asyncio.run(main())
elif library == "mbedtls":
    from mbedtls import tls
    from mbedtls.x509 import CRT

    trust = tls.TrustStore()
    trust.add(CRT.from_PEM(Path(ca).read_text()))
    context = tls.ClientContext(tls.TLSConfiguration(trust_store=trust))
    connection = context.wrap_socket(socket.create_connection((address, 3443)), server_hostname="chat.example")
    connection.do_handshake()
    connection.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat.example\r\n\r\n")
    print("LOG", connection.recv(64)[9:12].decode())
    connection.close()
