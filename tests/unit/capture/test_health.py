import sys
import time
from collections.abc import Sequence

import pytest

from eiosniff.capture import health
from eiosniff.capture.health import Fact, Health, Ran, Status, System, examine
from eiosniff.capture.live.capabilities import NET_RAW, Held
from eiosniff.capture.live.choose import BACKENDS
from eiosniff.capture.live.rights import User
from eiosniff.capture.live.surroundings import Program, Surroundings

ALL = (1 << 41) - 1
ROOT = Surroundings(
    root=True, user="root", held=Held(ALL, ALL, ALL, False),
    dumpcap=Program("/usr/bin/dumpcap"), tcpdump=Program("/usr/bin/tcpdump"),
)  # fmt: skip
ALICE = ROOT._replace(root=False, user="alice", held=Held(0, 0, ALL, False), memberships=frozenset({"alice"}))
SAID = {
    ("dumpcap", "--version"): Ran(0, "Dumpcap (Wireshark) 4.0.17 (Git v4.0.17)\n"),
    ("tcpdump", "--version"): Ran(0, "", "tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\n"),
    ("tshark", "--version"): Ran(0, "TShark 4.2.5\n", "tshark: /root/.config/wireshark 1.1: Permission denied\n"),
    ("dumpcap", "-L"): Ran(0, "Data link types of interface lo\n"),
    ("tcpdump", "-L"): Ran(0, "Data link types for lo\n"),
}
DENIED = Ran(1, "", "tcpdump: lo: You don't have permission to perform this capture on that device\n")


class Told(System):
    """A system that is as a test says."""

    def __init__(self, here: Surroundings = ROOT, **said: Ran) -> None:
        self.here = here
        self.said = SAID | {(name, "-L"): ran for name, ran in said.items()}
        self.user: User | None = None
        self.missing: set[str] = set()
        self.socket: OSError | None = None
        self.filters: Exception | None = None

    def look_around(self) -> Surroundings:
        return self.here

    def invoking_user(self) -> User | None:
        return self.user

    def find_program(self, name: str) -> Program | None:
        return None if name in self.missing else Program(f"/usr/bin/{name}")

    def run(self, commands: Sequence[Sequence[str]]) -> list[Ran]:
        return [self.said[command[0].rpartition("/")[2], command[1]] for command in commands]

    def interfaces(self) -> list[str]:
        return ["eth0", "lo"]

    def open_packet_socket(self) -> None:
        if self.socket is not None:
            raise self.socket

    def compile_filter(self) -> None:
        if self.filters is not None:
            raise self.filters

    def version_of(self, package: str) -> str | None:
        return None if package in self.missing else "1.2.3"

    def decoders_compiled(self) -> bool:
        return True


def fact(found: Health, name: str) -> Fact:
    return next(each for each in found.facts if each.name == name)


def test_where_all_is_well_every_fact_is() -> None:
    found = examine(Told())
    assert {each.status for each in found.facts} == {Status.OK}
    assert found.backends == list(BACKENDS), "in the order in which they are tried"
    assert (found.analyzes, found.captures, found.remedy) == (True, True, "")
    assert fact(found, "dumpcap").text == "4.0.17, /usr/bin/dumpcap, may capture"
    assert fact(found, "tcpdump").text == "4.99.3, /usr/bin/tcpdump, may capture"
    assert fact(found, "tshark").text == "4.2.5, /usr/bin/tshark, decrypts QUIC and TLS with CBC"
    assert fact(found, "filters").text == "libpcap 1.10.3 compiles them"
    assert fact(found, "interfaces").text == "2: eth0, lo"


def denied() -> Told:
    system = Told(ALICE, dumpcap=DENIED, tcpdump=DENIED)
    system.socket = PermissionError(1, "Operation not permitted")
    return system


def test_without_rights_nothing_captures_and_one_line_says_what_to_do() -> None:
    found = examine(denied())
    assert (found.analyzes, found.captures, found.backends) == (True, False, [])
    assert found.remedy.startswith("`sudo setcap cap_net_raw,cap_net_admin=eip /usr/bin/dumpcap`; or just now: ")
    broken = {each.name for each in found.facts if each.status is Status.BROKEN}
    assert broken == {"dumpcap", "tcpdump", "socket"}
    assert fact(found, "tcpdump").text == "4.99.3, /usr/bin/tcpdump, may not capture"
    assert fact(found, "rights").text == "alice (groups: alice), without CAP_NET_RAW"


def test_one_program_that_may_is_enough() -> None:
    system = denied()
    system.said["dumpcap", "-L"] = SAID["dumpcap", "-L"]
    found = examine(system)
    assert (found.captures, found.backends, found.remedy) == (True, ["dumpcap"], "")
    assert not [each for each in found.facts if each.status is Status.BROKEN]


def test_a_program_for_a_group_is_not_asked() -> None:
    system = denied()
    system.here = ALICE._replace(dumpcap=Program("/d", runs=False, raises=True, group="wireshark"), tcpdump=None)
    found = examine(system)
    assert fact(found, "dumpcap").text == "/d, which only the group wireshark may start"
    assert fact(found, "tcpdump").text == "not installed"
    assert "usermod -aG wireshark alice" in found.remedy


@pytest.mark.parametrize(
    ("ran", "text"),
    [
        (Ran(None, errors="it does not end"), "may not capture: it does not end"),
        (Ran(2, "", "dumpcap: There is no device named lo\nmore\n"), "may not capture: There is no device named lo"),
        (Ran(-11), "may not capture: exit code -11"),
    ],
)
def test_a_program_that_fails_otherwise_is_quoted(ran: Ran, text: str) -> None:
    found = examine(Told(dumpcap=ran))
    assert fact(found, "dumpcap").text == f"4.0.17, /usr/bin/dumpcap, {text}"
    assert found.backends == ["scapy", "tcpdump"]


def test_root_is_told_whose_rights_packets_are_parsed_with() -> None:
    system = Told()
    assert "packets are parsed with all rights" in fact(examine(system), "rights").text
    system.user = User("alice", 1000, 1000, (1000,), "/home/alice")
    assert fact(examine(system), "rights").text == (
        "root, called by alice: packets are parsed with the rights of alice only, with CAP_NET_RAW and CAP_NET_ADMIN"
    )


def test_a_container_without_the_right() -> None:
    system = Told(ROOT._replace(held=Held(0, 0, ALL & ~(1 << NET_RAW), False), container="docker"), dumpcap=DENIED)
    system.said["tcpdump", "-L"] = DENIED
    system.socket = PermissionError(1, "Operation not permitted")
    assert "--cap-add NET_RAW" in examine(system).remedy


def test_what_is_not_there_is_said_with_what_it_is_for() -> None:
    system = Told(ROOT._replace(dumpcap=None, tcpdump=None))
    system.missing = {"tshark", "Brotli", "brotlicffi", "pyshark"}
    system.filters = ImportError("libpcap is not available")
    found = examine(system)
    assert (found.captures, found.backends) == (True, ["scapy"])
    assert fact(found, "Brotli") == Fact(
        "programs", "Brotli", Status.ABSENT, "not installed", "HTTP bodies in br", "pip install Brotli"
    )
    assert fact(found, "filters").text == "libpcap does not compile them: ImportError: libpcap is not available"
    assert fact(found, "tshark").status is Status.ABSENT
    assert "WebTransport" in fact(found, "tshark").needed_for
    assert fact(found, "pyshark").remedy == "pip install pyshark"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("TShark (Wireshark) 3.4.10 (Git)", "/usr/bin/tshark is too old: it is 3.4, and needs to be 3.6 or newer"),
        ("tshark: error while loading shared libraries", "/usr/bin/tshark does not start: tshark: error while loading "
         "shared libraries"),
    ],
)  # fmt: skip
def test_a_tshark_that_will_not_do_is_none(said: str, text: str) -> None:
    system = Told()
    system.said["tshark", "--version"] = Ran(0, said)
    found = examine(system)
    assert (fact(found, "tshark").status, fact(found, "tshark").text) == (Status.ABSENT, text)
    assert found.analyzes


def test_without_a_library_that_it_needs_nothing_works() -> None:
    system = Told()
    system.missing = {"numpy"}
    found = examine(system)
    assert (found.analyzes, found.captures) == (False, False)
    assert fact(found, "numpy").status is Status.BROKEN


def test_programs_run_together_and_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 2.0)
    before = time.monotonic()
    slow = ["sh", "-c", "sleep 60 & sleep 60"]
    fine = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"]
    ran = System().run([slow, slow, ["/no/such/program"], fine, ["yes"]])
    assert time.monotonic() - before < 10
    assert ran[0] == ran[1] == Ran(None, errors="it does not end")
    assert ran[2] == Ran(None, errors="No such file or directory")
    assert ran[3] == Ran(7, "out\n", "err\n")
    assert ran[4].code is None


def test_this_system_can_be_looked_at() -> None:
    found = examine()
    assert found.analyzes
    assert {"rights", "dumpcap", "tcpdump", "tshark", "decoders", "numpy"} <= {each.name for each in found.facts}
    assert bool(found.remedy) != found.captures
