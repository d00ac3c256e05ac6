"""Other traffic for the haystack: TLS and REST over HTTP/1.1, one flow of each to be copied."""

import json
import struct

import numpy as np

from tests.bench.template import Template, Truth

CLIENT, SERVER = 0, 1
SEGMENT = 1448
PSH_ACK, SYN, SYN_ACK, FIN_ACK, ACK = 0x18, 0x02, 0x12, 0x11, 0x10
MAC = bytes.fromhex("02000000000202000000000108004500")[:14]
TLS_RECORD = 16_384
ROUND_TRIP_NS = 400_000


class FlowWriter:
    """Writes the captured packets of one TCP connection, as both sides send data."""

    def __init__(self, client_port: int, server_port: int, now_ns: int = 0) -> None:
        self.packets: list[bytes] = []
        self.times_ns: list[int] = []
        self.now_ns = now_ns
        self._ports = (client_port, server_port)
        self.sequences = [1_000_000, 2_000_000]  # the next number of each side
        self._packet(CLIENT, SYN)
        self.now_ns += ROUND_TRIP_NS
        self._packet(SERVER, SYN_ACK)
        self._packet(CLIENT, ACK)

    def _packet(self, side: int, flags: int, data: bytes = b"") -> None:
        address = (b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
        acknowledged = self.sequences[1 - side] if flags & ACK else 0
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 52 + len(data), len(self.packets) & 0xFFFF, 0x4000, 64, 6, 0)
        ip += address[side] + address[1 - side]
        ports = self._ports[side], self._ports[1 - side]
        tcp = struct.pack(">HHIIBBHHH", *ports, self.sequences[side], acknowledged, 0x80, flags, 501, 0, 0)
        milliseconds = self.now_ns // 1_000_000
        tcp += struct.pack(">HBBII", 0x0101, 8, 10, 1_000 + milliseconds, 1_000 + milliseconds)
        self.packets.append(MAC + ip + tcp + data)
        self.times_ns.append(self.now_ns)
        self.sequences[side] += len(data) + bool(flags & (SYN | FIN_ACK & ~ACK))
        self.now_ns += 20_000

    def say(self, side: int, data: bytes) -> None:
        """Send data; every second segment is acknowledged."""
        self.now_ns += ROUND_TRIP_NS // 2
        for count, start in enumerate(range(0, len(data), SEGMENT), start=1):
            self._packet(side, PSH_ACK if start + SEGMENT >= len(data) else ACK, data[start : start + SEGMENT])
            if count % 2 == 0:
                self._packet(1 - side, ACK)

    def close(self) -> None:
        """Close the connection, the client first."""
        self._packet(CLIENT, FIN_ACK)
        self._packet(SERVER, FIN_ACK)
        self._packet(CLIENT, ACK)

    def finish(self) -> Template:
        """Close the connection, and take it for one to be copied."""
        self.close()
        return Template(self.packets, self.times_ns, Truth(len(self.packets), 1), [])


def tls(packets: int, rng: np.random.Generator) -> Template:
    """A connection of about so many packets that looks like TLS 1.3: the first flights, then records of noise."""
    flow = FlowWriter(40_000, 443)
    random, share = rng.bytes(64), rng.bytes(32)
    name = b"downloads.example"
    extensions = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    extensions += bytes.fromhex("002b0003020304000a00040002001d000d000400020403")
    extensions += bytes.fromhex("00330026 0024 001d0020") + share
    hello = b"\x03\x03" + random[:32] + b"\x20" + random[32:] + bytes.fromhex("0002 1301 0100")
    hello += struct.pack(">H", len(extensions)) + extensions
    flow.say(CLIENT, _record(22, b"\x01" + struct.pack(">I", len(hello))[1:] + hello))
    answer = b"\x03\x03" + random[32:] + b"\x20" + random[32:] + bytes.fromhex("1301 00 002e")
    answer += bytes.fromhex("002b00020304 00330024 001d0020") + share
    flow.say(SERVER, _record(22, b"\x02" + struct.pack(">I", len(answer))[1:] + answer) + _record(20, b"\x01"))
    flow.say(SERVER, _record(23, rng.bytes(2800)))
    flow.say(CLIENT, _record(20, b"\x01") + _record(23, rng.bytes(53)))
    while len(flow.packets) < packets - 3:
        flow.now_ns += int(rng.integers(5_000_000, 60_000_000))
        flow.say(CLIENT, _record(23, rng.bytes(int(rng.integers(60, 600)))))
        size = int(np.exp(rng.uniform(np.log(200), np.log(8_000))))
        flow.say(
            SERVER, b"".join(_record(23, rng.bytes(min(TLS_RECORD, size - s))) for s in range(0, size, TLS_RECORD))
        )
    return flow.finish()


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0303, len(data)) + data


def rest(packets: int, rng: np.random.Generator) -> Template:
    """A kept-alive HTTP/1.1 connection of about so many packets: GET and POST of JSON."""
    flow = FlowWriter(41_000, 8080)
    while len(flow.packets) < packets - 3:
        flow.now_ns += int(rng.integers(5_000_000, 50_000_000))
        number = int(rng.integers(100_000))
        items = [{"id": number + i, "name": f"part {i}", "price": i * 0.25} for i in range(int(rng.integers(1, 90)))]
        if number % 4:
            flow.say(CLIENT, _request(b"GET", f"/api/v2/parts?from={number}&limit={len(items)}", b""))
        else:
            flow.say(CLIENT, _request(b"POST", f"/api/v2/orders/{number}", json.dumps(items[:5]).encode()))
        body = json.dumps({"count": len(items), "items": items}).encode()
        head = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
        flow.say(SERVER, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return flow.finish()


def _request(method: bytes, target: str, body: bytes) -> bytes:
    head = b"%s %s HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: python-requests/2.32.3\r\n" % (
        method,
        target.encode(),
    )
    head += b"Accept-Encoding: gzip, deflate\r\nAccept: application/json\r\nConnection: keep-alive\r\n"
    if body:
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body
