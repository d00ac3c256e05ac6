"""Two peers of OpenSSL that speak TLS with each other in memory, and what they write on the wire and into a key log."""

import ssl
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import StreamChunk


@cache
def _certificate() -> Path:
    """A key and a certificate for `localhost`, made once."""
    folder = Path(tempfile.mkdtemp(prefix="eiosniff-tls-"))
    path = folder / "peer.pem"
    subject = ["-subj", "/CN=localhost", "-days", "3650"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    done = subprocess.run([*made, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    path.write_bytes(done.stdout)
    return path


@dataclass
class Wire:
    """What went over the wire, a flight each, by side; `keys` is the key log, `said` what each side meant to say."""

    flights: list[tuple[Side, bytes]] = field(default_factory=list)
    said: list[bytearray] = field(default_factory=lambda: [bytearray(), bytearray()])
    keys: bytes = b""

    def secrets(self, *, without: tuple[str, ...] = (), grows: bool = False) -> Secrets:
        """The key log, perhaps without lines of some labels."""
        secrets = Secrets(grows)
        lines = [line for line in self.keys.splitlines() if not line.startswith(tuple(map(str.encode, without)))]
        secrets.add(b"\n".join(lines))
        return secrets

    def chunks(self, size: int) -> list[StreamChunk]:
        """The flights in packets of so many bytes, numbered from 1 on."""
        chunks: list[StreamChunk] = []
        offsets = [0, 0]
        for side, data in self.flights:
            for at in range(0, len(data), size):
                number = len(chunks) + 1
                piece = data[at : at + size]
                chunks.append(StreamChunk(side, offsets[side], piece, [0], [number], [number * 1000]))
                offsets[side] += len(piece)
        return chunks


class Pair:
    """A client and a server; `wire` has what they exchange."""

    def __init__(
        self,
        version: ssl.TLSVersion,
        ciphers: str = "",
        contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.wire = Wire()
        self.contexts = contexts or (self._context(False, version, ciphers), self._context(True, version, ciphers))
        self._log = Path(tempfile.mkstemp(prefix="eiosniff-keys-")[1])
        self.contexts[0].keylog_filename = str(self._log)
        self._from_client, self._from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.contexts[0].wrap_bio(
            self._from_server, self._from_client, server_hostname="localhost", session=session
        )
        self.client = client
        self.ends = [client, self.contexts[1].wrap_bio(self._from_client, self._from_server, server_side=True)]
        self._shake_hands()

    @staticmethod
    def _context(is_server: bool, version: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        if is_server:
            context.load_cert_chain(_certificate())
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _shake_hands(self) -> None:
        open_ends = [CLIENT, SERVER]
        while open_ends:
            for side in list(open_ends):
                try:
                    self.ends[side].do_handshake()
                    open_ends.remove(side)
                except ssl.SSLWantReadError:
                    pass
                self._carry(side)

    def _carry(self, side: Side) -> None:
        """Note what a side has written; it is in the other's memory already."""
        memory = self._from_server if side is SERVER else self._from_client
        data = memory.read()
        if data:
            self.wire.flights.append((side, data))
            memory.write(data)

    def say(self, side: Side, data: bytes) -> None:
        """A side says something, and the other one reads it."""
        self.wire.said[side] += data
        self.ends[side].write(data)
        self._carry(side)
        left = len(data)
        while left:
            left -= len(self.ends[side.other].read(left))

    def over(self) -> Wire:
        """All that there was."""
        self.wire.keys = self._log.read_bytes()
        self._log.unlink()
        return self.wire


def talk(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, ciphers: str = "", rounds: int = 3) -> Wire:
    """A conversation in which both sides say short and long things in turn."""
    pair = Pair(version, ciphers)
    for turn in range(rounds):
        pair.say(CLIENT, b"client says %d " % turn * (1 + turn * 40))
        pair.say(SERVER, b"server says %d " % turn * (1 + turn * 3000))
    return pair.over()
