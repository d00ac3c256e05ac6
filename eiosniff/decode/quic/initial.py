"""The random of a QUIC connection's ClientHello, by which its secrets are found (RFC 9001, section 5; RFC 9369).

Initial packets are encrypted with keys that follow from the connection id which the client chose: anybody who captures
them can read them. The ClientHello is in CRYPTO frames (RFC 9000, section 19.6), in any order, of several packets.
"""

import hmac
from typing import Final, NamedTuple, final

from eiosniff.decode.quic.varint import varint, varint_size
from eiosniff.decode.tls.keys import expand_label

_HASH: Final = "sha256"
_LONG: Final = 0x80
_FIXED: Final = 0x40
_MOST_ID: Final = 20  # bytes of a connection id (RFC 9000, section 17.2)
_SAMPLE: Final = 16
_TAG: Final = 16
_PADDING: Final = 0x00
_PING: Final = 0x01
_ACK: Final = (0x02, 0x03)
_CRYPTO: Final = 0x06
_CLIENT_HELLO: Final = 1
_HEADER: Final = 6  # bytes of a handshake message before the random: type, length, version
_NEEDED: Final = _HEADER + 32
# Coalesced packets, and frames, that one datagram may cost us; browsers scatter a ClientHello over some ten frames.
_MOST_PACKETS: Final = 8
_MOST_FRAMES: Final = 256
MAX_IDS: Final = 4  # connection ids that are tried on the packets of one pair of endpoints


class _Version(NamedTuple):
    salt: bytes
    initial: int  # the type of Initial packets
    label: bytes


_VERSIONS: Final[dict[int, _Version]] = {
    0x00000001: _Version(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), 0, b"quic "),
    0x6B3343CF: _Version(bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), 1, b"quicv2 "),
}


@final
class _Keys:
    """What protects the Initial packets of a client that chose a connection id."""

    __slots__ = ("_aead", "_ecb", "_iv")

    def __init__(self, version: _Version, connection_id: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415  (takes a while)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        common = hmac.digest(version.salt, connection_id, _HASH)
        secret = expand_label(common, b"client in", 32, _HASH)
        self._iv = expand_label(secret, version.label + b"iv", 12, _HASH)
        self._aead = AESGCM(expand_label(secret, version.label + b"key", 16, _HASH))
        protection = expand_label(secret, version.label + b"hp", 16, _HASH)
        self._ecb = Cipher(algorithms.AES(protection), modes.ECB())

    def open(self, packet: bytes, at: int) -> bytes | None:
        """The frames of a packet, whose packet number begins at `at`; None if these are not its keys."""
        sample = packet[at + 4 : at + 4 + _SAMPLE]
        if len(sample) < _SAMPLE:
            return None
        mask = self._ecb.encryptor().update(sample)
        first = packet[0] ^ (mask[0] & 0x0F)
        length = (first & 3) + 1
        number = bytes(packet[at + each] ^ mask[1 + each] for each in range(length))
        sealed = packet[at + length :]
        if len(sealed) < _TAG:
            return None
        nonce = (int.from_bytes(self._iv) ^ int.from_bytes(number)).to_bytes(12)
        try:
            return self._aead.decrypt(nonce, sealed, bytes((first,)) + packet[1:at] + number)
        except Exception:  # InvalidTag, of a library that is loaded late
            return None


@final
class InitialReader:
    """Looks for the ClientHello in what a client sends from one endpoint to another.

    `random` is that of the newest connection's ClientHello, None before there is one.
    """

    __slots__ = ("_hello", "_keys", "random")

    def __init__(self) -> None:
        self.random: bytes | None = None
        self._keys: dict[bytes, _Keys] = {}
        self._hello: dict[int, int] = {}  # its first bytes, by offset

    def take(self, datagram: bytes) -> bool:
        """A datagram of the client; whether it told a random."""
        told = False
        for _ in range(_MOST_PACKETS):
            size, packet, at, known = _initial(datagram)
            if known is not None and self._read(packet, at, known, _id_of(packet)):
                told = True
            if not 0 < size < len(datagram):
                break
            datagram = datagram[size:]
        return told

    def _read(self, packet: bytes, at: int, version: _Version, connection_id: bytes) -> bool:
        for keys in self._keys.values():
            frames = keys.open(packet, at)
            if frames is not None:
                return self._read_frames(frames)
        if connection_id in self._keys:
            return False
        keys = _Keys(version, connection_id)
        frames = keys.open(packet, at)
        if frames is None:
            return False
        if len(self._keys) >= MAX_IDS:
            del self._keys[next(iter(self._keys))]
        self._keys[connection_id] = keys  # another connection, or the same one again after a Retry
        self._hello.clear()
        return self._read_frames(frames)

    def _read_frames(self, frames: bytes) -> bool:
        pos = 0
        for _ in range(_MOST_FRAMES):
            while pos < len(frames) and frames[pos] in (_PADDING, _PING):
                pos += 1
            if pos >= len(frames):
                break
            kind = frames[pos]
            pos += 1
            if kind in _ACK:
                pos = _behind_ack(frames, pos, counts=kind == _ACK[1])
            elif kind == _CRYPTO:
                offset, pos = _integer(frames, pos)
                length, pos = _integer(frames, pos)
                if pos < 0:
                    break
                for at in range(offset, min(offset + length, _NEEDED)):
                    if pos + at - offset < len(frames):
                        self._hello[at] = frames[pos + at - offset]
                pos += length
            else:
                break
            if pos < 0:
                break
        return self._look()

    def _look(self) -> bool:
        hello = self._hello
        if len(hello) < _NEEDED:
            return False
        found = bytes(hello[at] for at in range(_NEEDED))
        hello.clear()
        if found[0] != _CLIENT_HELLO:
            return False
        self.random = found[_HEADER:]
        return True


def _initial(datagram: bytes) -> tuple[int, bytes, int, _Version | None]:
    """Of the packet that a datagram begins with: its size, itself, where its packet number is, and its version if it is
    an Initial. The size is 0 where nothing can be said of what comes behind it."""
    if len(datagram) < 7 or datagram[0] & (_LONG | _FIXED) != _LONG | _FIXED:
        return 0, b"", 0, None
    version = _VERSIONS.get(int.from_bytes(datagram[1:5]))
    if version is None:
        return 0, b"", 0, None
    is_initial = datagram[0] >> 4 & 3 == version.initial
    pos = 5
    for _ in range(2):
        if pos >= len(datagram) or datagram[pos] > _MOST_ID:
            return 0, b"", 0, None
        pos += 1 + datagram[pos]
    if is_initial:
        token, pos = _integer(datagram, pos)
        pos = pos + token if pos >= 0 else pos
    length, pos = _integer(datagram, pos)
    if pos < 0 or pos + length > len(datagram):
        return 0, b"", 0, None
    return pos + length, datagram[: pos + length], pos, version if is_initial else None


def _id_of(packet: bytes) -> bytes:
    return packet[6 : 6 + packet[5]]


def _behind_ack(frames: bytes, pos: int, *, counts: bool) -> int:
    """Behind an ACK frame (RFC 9000, section 19.3), -1 if it is not whole."""
    _, pos = _integer(frames, pos)
    _, pos = _integer(frames, pos)
    ranges, pos = _integer(frames, pos)
    if ranges > _MOST_FRAMES:
        return -1
    for _ in range(1 + 2 * ranges + (3 if counts else 0)):
        _, pos = _integer(frames, pos)
    return pos


def _integer(data: bytes, pos: int) -> tuple[int, int]:
    """An integer and where it ends; -1 if it is not whole (or began nowhere)."""
    if not 0 <= pos < len(data) or pos + varint_size(data[pos]) > len(data):
        return 0, -1
    return varint(data, pos), pos + varint_size(data[pos])
