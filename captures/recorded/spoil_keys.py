# SPDX-License-Identifier: GPL-2.0-or-later
"""Make recordings of TLS whose keys are of no use, from those of `record_tls.py` and `record_decrypted.py`.

    spoil_keys.py

Needs editcap.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faulty_peers import index

from eiosniff.capture.source import open_source

HERE = Path(__file__).resolve().parent
FOLDER = "undecrypted"
PEERS = ("socket.io", "4.8.4"), ("python-socketio", "5.18.1")

_HEAD = """\
# Made by spoil_keys.py; change it there.
#
# source  the recording that it is made from
# what    what was done to it
"""


def _same(keys: bytes) -> bytes:
    return keys


def _half(keys: bytes) -> bytes:
    return b"".join(line for line in keys.splitlines(keepends=True) if not line.startswith(b"SERVER_TRAFFIC_SECRET"))


def _changed(keys: bytes) -> bytes:
    return re.sub(rb"(?m)[0-9a-f]{8}$", b"00000000", keys)


@dataclass(frozen=True)
class Spoilt:
    """What is made: `keys` are of this recording, or of another one (`keys_of`); so many packets are `dropped`."""

    name: str
    what: str
    source: str = "tls/python-tls-1.3.pcapng"
    keys: Callable[[bytes], bytes] = _same
    keys_of: str = ""
    dropped: int = 0

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcapng"


ALL = (
    Spoilt("keys-of-others", "The keys are of another run.", keys_of="decrypted/tls13-chacha.pcapng"),
    Spoilt("half-of-the-keys", "The lines SERVER_TRAFFIC_SECRET_0 are missing.", keys=_half),
    Spoilt("wrong-keys", "The ends of all secrets were changed.", keys=_changed),
    Spoilt("wrong-keys-tls-1.2", "The same with TLS 1.2.", "tls/python-tls-1.2.pcapng", _changed),
    Spoilt("from-the-middle", "The beginnings of the connections are missing.", dropped=9),
)


def make(spoilt: Spoilt) -> index.Entry:
    """Make one."""
    source, target = HERE / spoilt.source, HERE / spoilt.file
    with open_source(str(HERE / (spoilt.keys_of or spoilt.source))) as capture:
        list(capture.batches())
        keys = b"".join(data for _, data in capture.secrets)
    with tempfile.TemporaryDirectory() as name:
        log, bare = Path(name) / "keys.log", Path(name) / "bare.pcap"
        log.write_bytes(spoilt.keys(keys))
        dropped = [f"1-{spoilt.dropped}"] if spoilt.dropped else []
        subprocess.run(["editcap", "-T", "ether", "-F", "pcap", str(source), str(bare), *dropped], check=True)
        made = Path(name) / "made.pcapng"
        subprocess.run(["editcap", "--inject-secrets", f"tls,{log}", str(bare), str(made)], check=True)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(made, target)
    (server, client) = ({"library": peer[0], "version": peer[1]} for peer in PEERS)
    return {"file": spoilt.file, "source": spoilt.source, "server": server, "client": client, "what": spoilt.what}


def main() -> int:
    index.update(HERE / "undecrypted.toml", [make(each) for each in ALL], {each.file for each in ALL}, head=_HEAD)
    return 0


if __name__ == "__main__":
    sys.exit(main())
