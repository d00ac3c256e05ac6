"""Which way packets come, and what is told where none works."""

import os

import pytest

from eiosniff.capture.live import choose
from eiosniff.capture.live.choose import open_live
from eiosniff.capture.live.opener import DirectOpener
from eiosniff.capture.live.programs import BackendError, RightsError
from eiosniff.capture.live.surroundings import Program
from eiosniff.errors import CaptureError, EiosniffError
from tests.unit.capture.blocks import pcap


@pytest.fixture
def ways(monkeypatch):
    """What each way of capturing does, by name: an exception is raised, anything else is the source."""
    outcomes = {"dumpcap": "packets of dumpcap", "scapy": "packets of scapy", "tcpdump": "packets of tcpdump"}
    installed = {"dumpcap", "tcpdump"}

    def result(name):
        outcome = outcomes[name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(choose, "names", lambda: ["lo", "eth0"])
    monkeypatch.setattr(choose, "find_program", lambda name: Program(f"/bin/{name}") if name in installed else None)
    monkeypatch.setattr(choose, "open_program", lambda program, opener: result(program.name))
    monkeypatch.setattr(choose, "_open_socket", lambda *_: result("scapy"))
    outcomes["installed"] = installed
    return outcomes


def may_not(name):
    return RightsError(f"{name} may not")


def opened(interface="eth0", **options):
    return open_live(interface, opener=DirectOpener(), **options)


def test_the_socket_if_it_may_be_opened(ways):
    assert opened() == "packets of scapy"


@pytest.mark.parametrize("why", [may_not("dumpcap"), BackendError("dumpcap is broken"), None])
def test_then_dumpcap_then_tcpdump(ways, why):
    ways["scapy"] = may_not("scapy")
    assert opened() == "packets of dumpcap"
    if why is None:
        ways["installed"].remove("dumpcap")
    else:
        ways["dumpcap"] = why
    assert opened() == "packets of tcpdump"


def test_the_first_that_was_tried_is_told(ways):
    ways |= {name: may_not(name) for name in ("dumpcap", "scapy", "tcpdump")}
    with pytest.raises(RightsError, match=r"scapy may not; .+"):
        opened()


@pytest.mark.parametrize("problem", ["there is no interface 'eth0'", "the filter 'x' cannot be used"])
def test_a_mistake_is_told_at_once(ways, problem):
    """Another way would fail for the same reason."""
    ways["scapy"] = CaptureError(problem)
    with pytest.raises(CaptureError, match=problem):
        opened()


@pytest.mark.parametrize("backend", ["dumpcap", "tcpdump", "scapy"])
def test_a_way_that_was_asked_for_is_the_only_one(ways, backend):
    assert opened(backend=backend) == f"packets of {backend}"
    ways[backend] = may_not(backend)
    with pytest.raises(RightsError, match=f"{backend} may not"):
        opened(backend=backend)


def test_a_program_that_is_not_installed(ways):
    ways["installed"].clear()
    with pytest.raises(CaptureError, match="tcpdump is not installed; install it"):
        opened(backend="tcpdump")


def test_a_backend_that_is_none(ways):
    with pytest.raises(EiosniffError, match=r"there is no backend 'dumcap'; did you mean dumpcap\?"):
        opened(backend="dumcap")
    with pytest.raises(EiosniffError, match="there are auto, scapy, dumpcap, tcpdump"):
        opened(backend="windump64")


def test_names_of_interfaces(ways):
    assert opened("any") == "packets of scapy"
    assert opened("nflog:3") == "packets of dumpcap"  # libpcap knows it
    with pytest.raises(CaptureError, match="there is no interface 'eth1'"):
        opened("eth1")


def test_a_socket_that_may_not_be_opened(monkeypatch):
    class Refusing(DirectOpener):
        def packet_socket(self, interface, expression):
            raise PermissionError(1, "Operation not permitted")

    with pytest.raises(RightsError, match="lo may not be captured by you"):
        open_live("lo", backend="scapy", opener=Refusing())


def test_a_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writing = os.open(path, os.O_RDWR)
    os.write(writing, pcap(2))
    try:
        with pytest.raises(CaptureError, match="what comes through a pipe cannot be filtered"):
            opened(str(path), expression="tcp")
        with opened(str(path)) as source:
            assert source.backend == "pipe"
            assert sum(len(batch) for batch in source.take()) == 2
    finally:
        os.close(writing)


def test_what_is_neither_an_interface_nor_a_pipe(tmp_path, ways):
    file = tmp_path / "my capture.pcap"
    file.write_bytes(pcap(2))
    with pytest.raises(CaptureError, match=f"is a file; .*eiosniff analyze '{file}'"):
        opened(str(file))
    with pytest.raises(CaptureError, match="is neither an interface nor a pipe"):
        opened(str(tmp_path))
    with pytest.raises(CaptureError, match="nowhere cannot be opened: No such file or directory"):
        opened(str(tmp_path / "nowhere"))
    with pytest.raises(CaptureError, match="there is no interface"):
        opened("eth0\0")
