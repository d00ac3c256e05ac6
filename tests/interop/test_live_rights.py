"""Root starts a capture for a user: what parses has no right left, the capture flows on, and comes again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eiosniff.capture.live.capabilities import NET_ADMIN, NET_RAW
from tests.cases import ROOT

NOBODY = 65534
GROUP = 1  # daemon's, of which nobody is no member
TOOLS = ("ip", "dumpcap", "tcpdump")
SPACE = f"rights{os.getpid()}"
_PATIENCE_S = 60

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS),
        reason="needs root on Linux with ip, dumpcap and tcpdump: nothing was captured",
    ),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=_PATIENCE_S)


def plug_in() -> None:
    """An interface, and a peer that all packets to go out on it."""
    inside = ("-n", SPACE)
    ip(*inside, "link", "add", "rights0", "type", "veth", "peer", "name", "rights1")
    ip(*inside, "addr", "add", "10.97.0.1/24", "dev", "rights0")
    ip(*inside, "link", "set", "rights1", "up")
    ip(*inside, "link", "set", "rights0", "up")
    ip(*inside, "neigh", "replace", "10.97.0.2", "lladdr", "02:00:00:00:00:02", "dev", "rights0")


@pytest.fixture
def interface() -> Iterator[str]:
    """An interface in a network of its own."""
    made = subprocess.run(["ip", "netns", "add", SPACE], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("network namespaces cannot be made here: nothing was captured")
    try:
        plug_in()
        yield "rights0"
    finally:
        ip("netns", "del", SPACE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's, who cannot pass through those of pytest."""
    made = Path(f"/tmp/{SPACE}")
    made.mkdir()
    os.chown(made, NOBODY, NOBODY)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def dumpcap(folder: Path) -> str:
    """A dumpcap as Debian installs it when asked to: with capabilities, and for a group that the user is not in."""
    path = folder / "dumpcap"
    shutil.copy(shutil.which("dumpcap") or "", path)
    os.chown(path, 0, GROUP)
    path.chmod(0o750)
    words = ["setcap", "cap_net_raw,cap_net_admin=eip", str(path)]
    if shutil.which("setcap") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no program can be given capabilities here")
    return str(path)


class Dropped:
    """The program that captures and gives up its rights."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", SPACE, sys.executable, "-m", "tests.interop.dropped", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "SUDO_UID": str(NOBODY), "SUDO_GID": "0", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def test_who_parses_has_no_rights_and_the_capture_flows_on(interface: str, folder: Path, dumpcap: str) -> None:
    commands = (
        f"tcpdump -i {interface} -U -w -",
        f"tcpdump -i {interface} -U -w - -Z nobody",  # which it cannot and need not do
        f"dumpcap -i {interface} -w -",
        f"{dumpcap} -i {interface} -w -",
    )
    dropped = Dropped(interface, str(folder), *commands)
    with dropped.process:
        first = dropped.told()
        left = first["left"]
        assert left["uids"] == left["gids"] == [NOBODY] * 3
        assert left["groups"] == [NOBODY]
        assert left["capabilities"] == 0
        assert left["back"] == []
        assert left["no_new_privileges"]
        assert (left["user"], left["home"]) == ("nobody", "/nonexistent")
        # Nor is anything else root: what captures may do that, and the keeper start it.
        capture = 1 << NET_RAW | 1 << NET_ADMIN
        for process in (first["keeper"], *first["programs"]):
            assert process["uids"] == [NOBODY] * 4
        assert [process["capabilities"][0] | capture for process in first["programs"]] == [capture] * len(commands)
        assert first["keeper"]["capabilities"][0] & ~(capture | 2) == 0

        assert dropped.told() == {"flows": [True] * len(commands), "socket": True}
        assert dropped.told() == {"refused": True}
        assert (folder / "written").stat().st_uid == NOBODY

        ip("-n", SPACE, "link", "del", "rights0")
        dropped.go_on()
        gone = dropped.told()
        assert None not in gone["ends"]
        assert None not in gone["again"]
        assert 0 not in gone["again"]
        assert gone["socket"] == 0

        plug_in()
        dropped.go_on()
        assert dropped.told() == {"flows": [True] * len(commands), "socket": True}
        assert dropped.told() == {"alive": []}
        assert dropped.process.wait(_PATIENCE_S) == 0
