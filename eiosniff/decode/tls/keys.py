"""From the secrets of a TLS connection to the keys of its records (RFC 8446, sections 5.2, 5.3, 7.1 to 7.3; RFC 5246,
sections 5 and 6.3), and the cipher suites whose records can be opened here: those with AEAD (RFC 5288, 6655, 7905).
"""

import hmac
from collections.abc import Callable
from typing import Final, NamedTuple, final

# The nonce, what is sealed, what is authenticated besides: the plain text, or None if it was not sealed with this key.
Opener = Callable[[bytes, bytes, bytes], bytes | None]

GCM: Final = "AES-GCM"
CCM: Final = "AES-CCM"
CCM_8: Final = "AES-CCM-8"
CHACHA: Final = "ChaCha20-Poly1305"

_NONCE: Final = 12  # bytes, of all of these
_EXPLICIT: Final = 8  # of it, in each record of TLS 1.2 with AES
_LABEL: Final = b"tls13 "


class Suite(NamedTuple):
    """A cipher suite, as far as it takes to open records: `key` and `tag` in bytes, the `hash` by the name that hashlib
    has for it."""

    aead: str
    key: int
    hash: str
    tag: int = 16


_AES_128: Final = Suite(GCM, 16, "sha256")
_AES_256: Final = Suite(GCM, 32, "sha384")
_CHACHA: Final = Suite(CHACHA, 32, "sha256")
_CCM_128: Final = Suite(CCM, 16, "sha256")
_CCM_256: Final = Suite(CCM, 32, "sha256")
_CCM_128_8: Final = Suite(CCM_8, 16, "sha256", 8)
_CCM_256_8: Final = Suite(CCM_8, 32, "sha256", 8)

TLS_1_3_SUITES: Final[dict[int, Suite]] = {
    0x1301: _AES_128, 0x1302: _AES_256, 0x1303: _CHACHA, 0x1304: _CCM_128, 0x1305: _CCM_128_8,
}  # fmt: skip

# By IANA's numbers; what they say of the key exchange does not matter here.
_GCM_128: Final = (
    0x009C, 0x009E, 0x00A0, 0x00A2, 0x00A4, 0x00A6, 0x00A8, 0x00AA, 0x00AC, 0xC02B, 0xC02D, 0xC02F, 0xC031, 0xD001,
)  # fmt: skip
_GCM_256: Final = (
    0x009D, 0x009F, 0x00A1, 0x00A3, 0x00A5, 0x00A7, 0x00A9, 0x00AB, 0x00AD, 0xC02C, 0xC02E, 0xC030, 0xC032, 0xD002,
)  # fmt: skip
_CCM: Final = (
    (_CCM_128, (0xC09C, 0xC09E, 0xC0A4, 0xC0A6, 0xC0AC, 0xD005)),
    (_CCM_256, (0xC09D, 0xC09F, 0xC0A5, 0xC0A7, 0xC0AD)),
    (_CCM_128_8, (0xC0A0, 0xC0A2, 0xC0A8, 0xC0AA, 0xC0AE, 0xD003)),
    (_CCM_256_8, (0xC0A1, 0xC0A3, 0xC0A9, 0xC0AB, 0xC0AF)),
)
TLS_1_2_SUITES: Final[dict[int, Suite]] = {
    **dict.fromkeys(_GCM_128, _AES_128),
    **dict.fromkeys(_GCM_256, _AES_256),
    **dict.fromkeys(range(0xCCA8, 0xCCAF), _CHACHA),
    **{number: suite for suite, numbers in _CCM for number in numbers},
}

# What people may still meet of others; these have names only (TLS_ is left out).
_NAMES: Final[dict[int, str]] = {
    0x0005: "RSA_WITH_RC4_128_SHA", 0x000A: "RSA_WITH_3DES_EDE_CBC_SHA", 0x002F: "RSA_WITH_AES_128_CBC_SHA",
    0x0033: "DHE_RSA_WITH_AES_128_CBC_SHA", 0x0035: "RSA_WITH_AES_256_CBC_SHA",
    0x0039: "DHE_RSA_WITH_AES_256_CBC_SHA", 0x003C: "RSA_WITH_AES_128_CBC_SHA256",
    0x003D: "RSA_WITH_AES_256_CBC_SHA256", 0xC009: "ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC00A: "ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xC013: "ECDHE_RSA_WITH_AES_128_CBC_SHA",
    0xC014: "ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xC023: "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    0xC024: "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 0xC027: "ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    0xC028: "ECDHE_RSA_WITH_AES_256_CBC_SHA384",
}  # fmt: skip


def suite_name(number: int) -> str:
    """The name of a cipher suite that is not opened here, or its number."""
    return f"TLS_{_NAMES[number]}" if number in _NAMES else f"cipher suite 0x{number:04x}"


# ------------------------------------------------------------------ derivation


def expand_label(secret: bytes, label: bytes, length: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label of RFC 8446, section 7.1, with an empty context."""
    label = _LABEL + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0"
    made = block = b""
    count = 1
    while len(made) < length:
        block = hmac.digest(secret, block + info + bytes((count,)), hash_name)
        made += block
        count += 1
    return made[:length]


def prf(secret: bytes, label: bytes, seed: bytes, length: int, hash_name: str) -> bytes:
    """The PRF of TLS 1.2 (RFC 5246, section 5)."""
    seed = label + seed
    made = b""
    a = seed
    while len(made) < length:
        a = hmac.digest(secret, a, hash_name)
        made += hmac.digest(secret, a + seed, hash_name)
    return made[:length]


@final
class RecordKeys:
    """What opens the records of one direction, as long as these keys are in use.

    `overhead` is by how many bytes a record is longer than what it holds; `explicit` of these come before that.
    `application` says that it is keys of application data, `since` is the captured packet with which the keys could be
    known.
    """

    __slots__ = (
        "_fixed", "_iv", "_next", "_opener", "_secret", "_suite", "application", "explicit", "is_1_3", "overhead",
        "since",
    )  # fmt: skip

    def __init__(
        self, suite: Suite, key: bytes, iv: bytes, since: int, *, application: bool, secret: bytes = b""
    ) -> None:
        """`iv` is the whole nonce's mask, or the part of it that stays the same (TLS 1.2 with AES); a `secret` is that
        of TLS 1.3."""
        self._suite = suite
        self._opener = _opener(suite, key)
        self._secret = secret
        self._fixed = iv
        self._iv = int.from_bytes(iv, "big")
        self._next: RecordKeys | None = None
        self.is_1_3 = len(secret) > 0
        self.explicit = 0 if len(iv) == _NONCE else _EXPLICIT
        self.overhead = 5 + self.explicit + suite.tag + self.is_1_3
        self.application = application
        self.since = since

    @property
    def least(self) -> int:
        """The length of the shortest record, its header aside."""
        return self.overhead - 5

    def open(self, sequence: int, header: bytes, sealed: bytes) -> bytes | None:
        """What a record holds, None if it is not the one with this sequence number, or not of these keys. `header` is
        its first five bytes, `sealed` the rest."""
        if self.is_1_3:
            return self._opener((self._iv ^ sequence).to_bytes(_NONCE, "big"), sealed, header)
        length = len(sealed) - self.explicit - self._suite.tag
        if length < 0:
            return None
        about = sequence.to_bytes(8, "big") + header[:3] + length.to_bytes(2, "big")
        if not self.explicit:
            return self._opener((self._iv ^ sequence).to_bytes(_NONCE, "big"), sealed, about)
        return self._opener(self._fixed + sealed[:_EXPLICIT], sealed[_EXPLICIT:], about)

    def successor(self) -> "RecordKeys | None":
        """The keys after a KeyUpdate (RFC 8446, section 7.2); None if there can be none."""
        if self._next is None and self.is_1_3 and self.application:
            secret = expand_label(self._secret, b"traffic upd", len(self._secret), self._suite.hash)
            self._next = keys_1_3(self._suite, secret, self.since, application=True)
        return self._next


def keys_1_3(suite: Suite, secret: bytes, since: int, *, application: bool) -> RecordKeys:
    """Of a traffic secret of TLS 1.3 (RFC 8446, section 7.3)."""
    key = expand_label(secret, b"key", suite.key, suite.hash)
    iv = expand_label(secret, b"iv", _NONCE, suite.hash)
    return RecordKeys(suite, key, iv, since, application=application, secret=secret)


def keys_1_2(suite: Suite, master: bytes, client_random: bytes, server_random: bytes, since: int) -> list[RecordKeys]:
    """Of a master secret of TLS 1.2: the keys of the client, and those of the server (RFC 5246, section 6.3)."""
    iv = _NONCE if suite.aead == CHACHA else _NONCE - _EXPLICIT
    needed = 2 * (suite.key + iv)
    block = prf(master, b"key expansion", server_random + client_random, needed, suite.hash)
    ivs = 2 * suite.key
    return [
        RecordKeys(suite, block[: suite.key], block[ivs : ivs + iv], since, application=True),
        RecordKeys(suite, block[suite.key : ivs], block[ivs + iv :], since, application=True),
    ]


def _opener(suite: Suite, key: bytes) -> Opener:
    # The library takes a while to load, which most captures do not need.
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305  # noqa: PLC0415

    if suite.aead == GCM:
        decrypt = AESGCM(key).decrypt
    elif suite.aead == CHACHA:
        decrypt = ChaCha20Poly1305(key).decrypt
    else:
        decrypt = AESCCM(key, tag_length=suite.tag).decrypt

    def opened(nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
        try:
            return bytes(decrypt(nonce, sealed, about))
        except (InvalidTag, ValueError):  # ValueError: shorter than a tag
            return None

    return opened
