"""TLS hellos and records as tests make them (RFC 8446, section 4.1), byte by byte."""

HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC, APPLICATION_DATA = 22, 21, 20, 23
GREASE = b"\x1a\x1a"


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(data, 2)


def server_name(name: bytes) -> bytes:
    return extension(0, vector(b"\0" + vector(name, 2), 2))


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(b"".join(vector(name, 1) for name in names), 2))


def client_hello(*extensions: bytes) -> bytes:
    body = b"\x03\x03" + bytes(32) + vector(bytes(32), 1) + vector(b"\x13\x01\x13\x02", 2) + vector(b"\0", 1)
    return b"\x01" + vector(body + vector(b"".join(extensions), 2), 3)


def server_hello(*extensions: bytes, version: int = 0x0303) -> bytes:
    body = version.to_bytes(2, "big") + bytes(32) + vector(bytes(32), 1) + b"\x13\x01\0"
    return b"\x02" + vector(body + vector(b"".join(extensions), 2), 3)


def tls13() -> bytes:
    """What a server adds that chose TLS 1.3."""
    return extension(43, b"\x03\x04")


def record(data: bytes, kind: int = HANDSHAKE) -> bytes:
    return bytes([kind]) + b"\x03\x03" + vector(data, 2)


def records(data: bytes, size: int) -> bytes:
    """A message in records of so many bytes."""
    return b"".join(record(data[at : at + size]) for at in range(0, len(data), size))


HELLO = client_hello(server_name(b"chat.example"), alpn(b"h2", b"http/1.1"))
ANSWER_12 = server_hello(alpn(b"h2"))
ANSWER_13 = server_hello(tls13())
UNKNOWN_CA = record(b"\x02\x30", ALERT)
KEYS = record(b"\x01", CHANGE_CIPHER_SPEC)
SECRET = record(bytes(40), APPLICATION_DATA)
