"""Captures as root for another user, gives up the rights, and says what is left of them. For test_live_rights.py.

    dropped.py INTERFACE FOLDER COMMAND...

Captures INTERFACE with each COMMAND (words with spaces between them) and by a socket. Prints a JSON object a line; goes
on when it reads a line.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from pathlib import Path

from eiosniff.capture.live import capabilities
from eiosniff.capture.live.keeper import KeeperOpener, opener_of_least_rights
from eiosniff.capture.live.opener import DirectOpener, Opener, Started

PATIENCE_S = 20.0
MARK = b"does this flow?"
PEER = ("10.97.0.2", 9999)


class Opening(DirectOpener):
    """Opens packet sockets as simply as it can be done."""

    def packet_socket(self, interface: str, expression: str) -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        opened.bind((interface, 0))
        opened.setblocking(False)
        return opened


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def wait(descriptor: int, until: bytes) -> bytes:
    """What comes there, up to some bytes or the end; packets are sent meanwhile."""
    came = b""
    deadline = time.monotonic() + PATIENCE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while until not in came and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                sender.sendto(MARK, PEER)
            if select.select([descriptor], [], [], 0.05)[0]:
                block = os.read(descriptor, 1 << 16)
                if not block:
                    break
                came += block
    return came


def begun(opener: Opener, command: list[str]) -> Started:
    """Start a program and wait until it captures, or ends."""
    started = opener.start(command)
    wait(started.stderr, b"istening on" if "tcpdump" in command[0] else b"File:")
    return started


def end(opener: Opener, started: Started) -> int | None:
    wait(started.stdout, b"nothing that is ever sent")
    deadline = time.monotonic() + PATIENCE_S
    while (code := opener.reap(started.pid)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return code


def left() -> dict[str, object]:
    """What this process still has of root's rights."""
    back = []
    for change, ids in ((os.setuid, (0,)), (os.setgid, (0,)), (os.setresuid, (0, 0, 0)), (os.setgroups, ([0],))):
        with contextlib.suppress(PermissionError):
            change(*ids)
            back.append(change.__name__)
    with contextlib.suppress(PermissionError):
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        back.append("packet socket")
    held = capabilities.held()
    assert held is not None
    return {
        "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(), "back": back,
        "capabilities": held.effective | held.permitted, "no_new_privileges": held.no_new_privileges,
        "home": os.environ["HOME"], "user": os.environ["USER"],
    }  # fmt: skip


def of(pid: int) -> dict[str, list[int]]:
    """The user and the capabilities of another process."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"uids": [int(word) for word in lines["Uid"].split()], "capabilities": [int(lines["CapPrm"], 16)]}


def main(interface: str, folder: str, *commands: str) -> None:
    words = [command.split() for command in commands]
    opener = opener_of_least_rights()
    assert isinstance(opener, KeeperOpener)
    user = opener.user
    opener.close()
    opener = KeeperOpener(user, Opening)
    started = [begun(opener, command) for command in words]
    opened = opener.packet_socket(interface, "")
    opener.give_up_rights()
    assert opener._pid is not None
    tell(left=left(), keeper=of(opener._pid), programs=[of(each.pid) for each in started])
    flows = [MARK in wait(each.stdout, MARK) for each in started]
    tell(flows=flows, socket=MARK in wait(opened.fileno(), MARK))
    Path(folder, "written").write_bytes(b"packets")
    refused = False
    try:
        opener.start(["id"])
    except PermissionError:
        refused = True
    tell(refused=refused)
    sys.stdin.readline()  # the interface vanishes
    ends = [end(opener, each) for each in started]
    again = [end(opener, opener.start(command)) for command in words]
    missing = 0
    with contextlib.suppress(OSError):
        opener.packet_socket(interface, "").close()
        missing = 1
    tell(ends=ends, again=again, socket=missing)
    sys.stdin.readline()  # and it comes again
    started = [begun(opener, command) for command in words]
    opened = opener.packet_socket(interface, "")
    flows = [MARK in wait(each.stdout, MARK) for each in started]
    tell(flows=flows, socket=MARK in wait(opened.fileno(), MARK))
    opener.close()
    tell(alive=[each.pid for each in started if Path(f"/proc/{each.pid}").exists()])


if __name__ == "__main__":
    main(*sys.argv[1:])
