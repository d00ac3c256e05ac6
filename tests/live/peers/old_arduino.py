"""The wire behaviour of a SocketIOclient of arduinoWebSockets older than 2.3.3, whose URL asks for EIO=4.

As recorded in captures/recorded/arduino: the polling handshake and the WebSocket share one connection, "2probe", "5"
and "40/" leave together before "3probe" has come, every mask is zero, and the client pings, which is the server's
part in Engine.IO 4. When the server closes, it comes back half a second later. The one argument is a JSON object:
`host`, `port`, and `pingMs`, which is 20,000 in the library. Tells in a line `PING NANOSECONDS` when a ping has left,
and `GONE` when the server has closed.
"""

import base64
import json
import os
import socket
import sys
import time

COMES_BACK_S = 0.5
TEXT, CLOSE = 0x81, 0x88


def ask(connection: socket.socket, host: str, query: str, *headers: str) -> bytes:
    """A request, and all that comes in answer to it at first."""
    lines = [
        f"GET /socket.io/?EIO=4&transport={query} HTTP/1.1",
        f"Host: {host}",
        *headers,
        "Origin: file://",
        "User-Agent: arduino-WebSocket-Client",
    ]
    connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    return connection.recv(65536)


def frame(kind: int, data: bytes = b"") -> bytes:
    return bytes((kind, 0x80 | len(data))) + bytes(4) + data


def session(host: str, port: int, ping_s: float) -> None:
    """From the handshake to the end, which is the server's."""
    with socket.create_connection((host, port)) as connection:
        name = f"{host}:{port}"
        answer = ask(connection, name, "polling", "Connection: keep-alive")
        sid = json.loads(answer[answer.index(b"0{") + 1 :])["sid"]
        key = base64.b64encode(os.urandom(16)).decode()
        ask(
            connection, name, f"websocket&sid={sid}", "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Protocol: arduino",
        )  # fmt: skip
        connection.sendall(frame(TEXT, b"2probe") + frame(TEXT, b"5") + frame(TEXT, b"40/"))
        connection.settimeout(ping_s)
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            connection.settimeout(None)
            connection.sendall(frame(TEXT, b"2"))
            print("PING", time.time_ns(), flush=True)
            connection.recv(65536)  # the close frame
            connection.sendall(frame(CLOSE))
        print("GONE", flush=True)


def main() -> None:
    plan = json.loads(sys.argv[1])
    while True:
        session(plan["host"], plan["port"], plan["pingMs"] / 1000)
        time.sleep(COMES_BACK_S)


main()
