"""The process that keeps the rights: what it does, what it refuses, and that it goes when its parent does.

Here nobody has any rights to keep; tests/interop/test_live_rights.py has root.
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiosniff.capture.live import keeper, rights
from eiosniff.capture.live.keeper import KeeperOpener, opener_of_least_rights
from eiosniff.capture.live.opener import DirectOpener, Started
from eiosniff.errors import CaptureError, EiosniffError

if sys.platform != "linux":
    pytest.skip("looks at processes as Linux shows them", allow_module_level=True)

US = rights.User("us", os.getuid(), os.getgid(), tuple(os.getgroups()), "/")
HELLO = ("sh", "-c", "echo hello; echo oh >&2; exit 3")
SLEEP = ("sleep", "60")
GONE = "is gone|Broken pipe|Connection reset"
_PATIENCE_S = 20.0


class Pairs(DirectOpener):
    """Opens one end of a pair of sockets for packets."""

    def packet_socket(self, interface: str, expression: str) -> socket.socket:
        if expression == "nonsense":
            raise CaptureError("the filter cannot be used", "see pcap-filter(7)")
        ours, theirs = socket.socketpair()
        ours.sendall(f"{interface} {expression}".encode())
        ours.close()
        return theirs


@pytest.fixture(autouse=True)
def no_rights(monkeypatch: pytest.MonkeyPatch) -> list[rights.User]:
    """Nobody gives up anything; who would have."""
    dropped: list[rights.User] = []
    monkeypatch.setattr(rights, "keep_capture_rights", lambda user: None)
    monkeypatch.setattr(rights, "drop_to", dropped.append)
    return dropped


@pytest.fixture
def opener(no_rights: list[rights.User]) -> Iterator[KeeperOpener]:
    made = KeeperOpener(US, Pairs)
    yield made
    made.close()


def read(descriptor: int) -> bytes:
    """All that is said there up to its end."""
    said = b""
    while select.select([descriptor], [], [], _PATIENCE_S)[0]:
        block = os.read(descriptor, 1000)
        if not block:
            os.close(descriptor)
            return said
        said += block
    raise AssertionError("no end")


def ended(pid: int) -> bool:
    """Wait for the end of a process, whoever its parent is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], _PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def code(opener: KeeperOpener, started: Started) -> int | None:
    assert ended(started.pid)
    return opener.reap(started.pid)


def test_a_program_is_started_elsewhere_and_heard_here(opener: KeeperOpener) -> None:
    started = opener.start(HELLO)
    assert not os.get_inheritable(started.stdout)
    assert not os.get_blocking(started.stdout)
    assert (read(started.stdout), read(started.stderr)) == (b"hello\n", b"oh\n")
    assert code(opener, started) == 3
    assert opener.reap(started.pid) is None


def test_a_program_gets_signals(opener: KeeperOpener) -> None:
    started = opener.start(SLEEP)
    assert opener.reap(started.pid) is None
    opener.signal(started.pid, signal.SIGTERM)
    assert code(opener, started) == -signal.SIGTERM
    opener.signal(started.pid, signal.SIGTERM)  # it is gone
    opener.signal(os.getpid(), signal.SIGKILL)  # and this was not started by it


def test_a_packet_socket_is_handed_over(opener: KeeperOpener) -> None:
    with opener.packet_socket("lo", "port 3000") as opened:
        assert opened.recv(100) == b"lo port 3000"
        assert opened.recv(100) == b""  # the keeper has no copy


def test_what_goes_wrong_there_is_said_here(opener: KeeperOpener) -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        opener.start(["/no/such/program"])
    with pytest.raises(CaptureError, match=r"the filter cannot be used; see pcap-filter\(7\)"):
        opener.packet_socket("lo", "nonsense")
    assert code(opener, opener.start(["true"])) == 0  # and it goes on


def test_afterwards_it_only_does_again_what_it_did(opener: KeeperOpener, no_rights: list[rights.User]) -> None:
    opener.start(["true"])
    opener.packet_socket("lo", "port 3000").close()
    with pytest.raises(FileNotFoundError):
        opener.start(["/no/such/program"])
    opener.give_up_rights()
    assert no_rights == [US]
    assert code(opener, opener.start(["true"])) == 0
    opener.packet_socket("lo", "port 3000").close()
    with pytest.raises(FileNotFoundError):
        opener.start(["/no/such/program"])
    for other in (["true", "-w"], ["false"], ["true port 3000"], ["packet_socket", "lo", "port 3000"]):
        with pytest.raises(PermissionError):
            opener.start(other)
    for interface, expression in (("lo", ""), ("eth0", "port 3000"), ("lo\0", "port 3000")):
        with pytest.raises(PermissionError):
            opener.packet_socket(interface, expression)


@pytest.mark.parametrize(
    "request_",
    [
        ["exec", "id"],
        ["start"],
        ["start", 1],
        ["start", ["id"]],
        ["signal", "1", 9],
        ["reap"],
        [],
        {},
        None,
        "start",
        1e999,
    ],
)
def test_what_nobody_asks_for_is_refused(opener: KeeperOpener, request_: object) -> None:
    opener.give_up_rights()
    keeper._send(opener._socket, request_)
    received, descriptors = keeper._receive(opener._socket)
    assert b'"errno": 1,' in (received or b"")
    assert descriptors == []


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\2[]GET / HTTP/1.1\r\n"])
def test_what_is_no_request_ends_it(opener: KeeperOpener, data: bytes) -> None:
    pid = opener._pid
    assert pid is not None
    opener._socket.sendall(data)
    assert ended(pid)
    opener.close()


def test_it_lets_ctrl_c_and_the_like_pass(opener: KeeperOpener) -> None:
    assert opener._pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(opener._pid, number)
    started = opener.start(SLEEP)
    opener.signal(started.pid, signal.SIGINT)  # what it starts does not
    assert code(opener, started) == -signal.SIGINT


def test_it_has_no_descriptor_of_its_parent(opener: KeeperOpener) -> None:
    started = opener.start(SLEEP)
    opener.packet_socket("lo", "").close()
    opener.reap(started.pid)  # once it answers this, it is done with the other
    kept = {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{opener._pid}/fd").iterdir()}
    assert set(kept) == {"0", "1", "2", "3"}
    assert {kept["0"], kept["1"], kept["2"]} == {"/dev/null"}


def test_the_end_of_the_capture_ends_what_was_started(opener: KeeperOpener) -> None:
    started = opener.start(SLEEP)
    pid = opener._pid
    opener.close()
    assert pid is not None
    assert ended(pid)
    assert ended(started.pid)
    opener.close()
    with pytest.raises(OSError, match="is gone"):
        opener.start(SLEEP)


def test_a_keeper_that_is_gone_raises_what_a_lost_interface_would(opener: KeeperOpener) -> None:
    started = opener.start(["true"])
    assert opener._pid is not None
    os.kill(opener._pid, signal.SIGKILL)
    assert ended(opener._pid)
    for _ in range(2):
        with pytest.raises(OSError, match=GONE):
            opener.start(["true"])
        with pytest.raises(OSError, match=GONE):
            opener.packet_socket("lo", "")
        opener.signal(started.pid, signal.SIGTERM)
        assert opener.reap(started.pid) == -signal.SIGKILL
    with pytest.raises(EiosniffError, match="the process that keeps the rights to capture failed"):
        opener.give_up_rights()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_dies(no_rights: list[rights.User], number: int) -> None:
    telling, told = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            made = KeeperOpener(US, Pairs)
            started = made.start(SLEEP)
            os.fork()  # a copy that judges, and has the socket too
            os.write(told, f"{made._pid} {started.pid} {os.getpid()}\n".encode())
            signal.pause()
        finally:
            os._exit(1)
    os.close(told)
    lines = b""
    while lines.count(b"\n") < 2:
        lines += os.read(telling, 1000)
    os.close(telling)
    os.kill(parent, number)
    os.waitpid(parent, 0)
    pids = [[int(word) for word in line.split()] for line in lines.splitlines()]
    assert ended(pids[0][0])
    assert ended(pids[0][1])
    copy = next(pid for _, _, pid in pids if pid != parent)
    os.kill(copy, signal.SIGKILL)


def test_a_keeper_that_cannot_be_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(user: rights.User) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(rights, "keep_capture_rights", refuse)
    with pytest.raises(EiosniffError, match="that keeps the rights to capture: Operation not permitted"):
        KeeperOpener(US)


def test_an_installation_that_the_user_cannot_read_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper.eiosniff, "__file__", "/no/where/eiosniff/__init__.py")
    with pytest.raises(
        EiosniffError, match=r"us, who called us, may not read /no/where/eiosniff.*; install eiosniff where"
    ):
        KeeperOpener(US)


def test_who_is_nobodys_root_opens_by_itself(monkeypatch: pytest.MonkeyPatch, no_rights: list[rights.User]) -> None:
    monkeypatch.setattr(rights, "invoking_user", lambda: None)
    opener = opener_of_least_rights()
    assert type(opener) is DirectOpener
    assert opener.user is None
    opener.give_up_rights()
    assert no_rights == []
    monkeypatch.setattr(rights, "invoking_user", lambda: US)
    opener = opener_of_least_rights()
    assert opener.user == US
    opener.close()
