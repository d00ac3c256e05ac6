"""The secrets of TLS and QUIC connections, as those who set them up write them into a key log.

The format is that of NSS (draft-ietf-tls-keylogfile): a line each, `LABEL CLIENT_RANDOM SECRET` in hexadecimal, where
the random of the ClientHello tells which connection it is.
"""

import re
from collections.abc import Iterator
from typing import Final, final

CLIENT_RANDOM: Final = "CLIENT_RANDOM"  # up to TLS 1.2: the master secret
CLIENT_EARLY: Final = "CLIENT_EARLY_TRAFFIC_SECRET"
CLIENT_HANDSHAKE: Final = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
SERVER_HANDSHAKE: Final = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
CLIENT_TRAFFIC: Final = "CLIENT_TRAFFIC_SECRET_0"
SERVER_TRAFFIC: Final = "SERVER_TRAFFIC_SECRET_0"
LABELS: Final = frozenset(
    (CLIENT_RANDOM, CLIENT_EARLY, CLIENT_HANDSHAKE, SERVER_HANDSHAKE, CLIENT_TRAFFIC, SERVER_TRAFFIC)
)

_LINE: Final = re.compile(rb"([A-Z0-9_]{1,64}) ([0-9A-Fa-f]{64}) ((?:[0-9A-Fa-f]{2}){32,64})")
# A browser that is kept open for a day writes some ten thousand lines; beyond these nothing is kept.
MAX_SECRETS: Final = 1_000_000


@final
class Secrets:
    """Secrets by label and client random (32 bytes).

    `lines` counts those that were understood, `odd` those that were not (comments and empty lines aside). `grown` is
    larger each time there are more: who waits for a secret looks again then. `grows` says that more may come, as the
    programs that are listened to write them.
    """

    __slots__ = ("_secrets", "grown", "grows", "lines", "odd")

    def __init__(self, grows: bool = False) -> None:
        self._secrets: dict[tuple[str, bytes], bytes] = {}
        self.grows = grows
        self.lines = 0
        self.odd = 0
        self.grown = 0

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, text: bytes) -> None:
        """Take whole lines of a key log; others are counted as odd, labels that nobody needs passed over."""
        for line in text.splitlines():
            line = line.strip()
            if not line or line.startswith(b"#"):
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                self.odd += 1
                continue
            self.lines += 1
            label = match[1].decode("ascii")
            if label in LABELS and len(self._secrets) < MAX_SECRETS:
                key = label, bytes.fromhex(match[2].decode("ascii"))
                self._secrets[key] = bytes.fromhex(match[3].decode("ascii"))
                self.grown += 1

    def get(self, label: str, client_random: bytes) -> bytes | None:
        """The secret of a connection, None if there is none."""
        return self._secrets.get((label, client_random))

    def text(self) -> Iterator[bytes]:
        """All of them as lines of a key log."""
        for (label, client_random), secret in self._secrets.items():
            yield f"{label} {client_random.hex()} {secret.hex()}\n".encode("ascii")

    def knows(self, client_random: bytes) -> bool:
        """Whether there is any secret of a connection."""
        return any((label, client_random) in self._secrets for label in LABELS)
