"""What is decrypted is what tshark decrypts, connection by connection."""

import shutil
import subprocess
from pathlib import Path

import pytest

from eiosniff.model.provenance import CLIENT, SERVER
from tests.decrypted import carried, text_of
from tests.streams import RECORDED

FILES = [*sorted((RECORDED / "decrypted").glob("*.pcapng")), *sorted((RECORDED / "tls").glob("*.pcapng"))]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]


def of_tshark(path: Path, streams: int) -> list[tuple[bytes, bytes]]:
    """What both sides of each connection said."""
    follow = [word for stream in range(streams) for word in ("-z", f"follow,tls,raw,{stream}")]
    argv = ["tshark", "-n", "-q", "-r", str(path), *follow]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = []
    for part in out.split("Follow: tls,raw")[1:]:
        lines = [line for line in part.splitlines()[4:] if line and not line.startswith("===")]
        said = [b"", b""]
        for line in lines:
            said[line.startswith("\t")] += bytes.fromhex(line.strip())
        found.append((said[0], said[1]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_all_that_tshark_decrypts(path: Path) -> None:
    connections = carried(path)
    compared = of_tshark(path, len(connections))
    # It lists connections in an order of its own, and takes who spoke first in the data for "node 0".
    ours = sorted(sorted((text_of(each, CLIENT), text_of(each, SERVER))) for each in connections)
    assert ours == sorted(sorted(each) for each in compared)
