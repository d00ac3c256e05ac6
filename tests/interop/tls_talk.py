"""TLS connections of this process with itself, over memory: what each side said, and how it looks on the wire."""

import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from eiosniff.model.outside import OutsideConnection, OutsidePacket
from eiosniff.model.provenance import Endpoint
from eiosniff.model.secrets import Secrets


class Talk(NamedTuple):
    """`packets` as they are handed out; `said` is all that the server (0) and the client (1) said."""

    packets: list[OutsidePacket]
    said: tuple[bytes, bytes]


class Peers:
    """A client and a server with one cipher; `secrets` has the keys of all their connections."""

    def __init__(self, folder: Path, cipher: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> None:
        certificate, key, self._keylog = folder / "cert.pem", folder / "key.pem", folder / "keys.log"
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=chat.example"]
        subprocess.run([*argv, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(certificate, key)
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname = False
        self._client.verify_mode = ssl.CERT_NONE
        self._client.keylog_filename = str(self._keylog)
        for context in (self._server, self._client):
            context.minimum_version = context.maximum_version = version
            context.set_ciphers(cipher)
        self._packets = 0

    @property
    def secrets(self) -> Secrets:
        secrets = Secrets()
        secrets.add(self._keylog.read_bytes())
        return secrets

    def talk(self, turns: list[tuple[bool, list[bytes]]], segment: int = 1448) -> Talk:
        """Say these things, each in a record of its own; those of one turn come in one go, in segments so large."""
        incoming, outgoing = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
        sides = (
            self._server.wrap_bio(incoming[0], outgoing[0], server_side=True),
            self._client.wrap_bio(incoming[1], outgoing[1]),
        )
        connection = OutsideConnection(Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", 443), quic=False)
        packets: list[OutsidePacket] = []
        offsets = [0, 0]

        def pass_on(from_client: bool) -> None:
            data = outgoing[from_client].read()
            incoming[not from_client].write(data)
            for at in range(0, len(data), segment):
                self._packets += 1
                piece = data[at : at + segment]
                number, offset = self._packets, offsets[from_client]
                packets.append(OutsidePacket(number, number * 1000, connection, from_client, offset, piece))
                offsets[from_client] += len(piece)

        for _ in range(3):
            for from_client in (True, False):
                with suppress(ssl.SSLWantReadError):
                    sides[from_client].do_handshake()
                pass_on(from_client)
        said = [b"", b""]
        for from_client, records in turns:
            for record in records:
                sides[from_client].write(record)
                said[from_client] += record
            pass_on(from_client)
        return Talk(packets, (said[0], said[1]))
