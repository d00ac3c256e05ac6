import os
import sys
from pathlib import Path

import pytest

from eiosniff.capture.live import surroundings
from eiosniff.capture.live.capabilities import NET_ADMIN, NET_RAW, Held
from eiosniff.capture.live.surroundings import Program, Surroundings, find_program, look_around, remedy

ALL = (1 << 41) - 1
NONE = Held(0, 0, ALL, False)
WITHOUT_ADMIN = Held(0, 0, ALL & ~(1 << NET_ADMIN), False)
COMMAND = ("/home/alice/my venv/bin/eiosniff", "live", "eth0")
NOW = "`sudo '/home/alice/my venv/bin/eiosniff' live eth0`"
HERE = Surroundings(user="alice", held=NONE, command=COMMAND)
DUMPCAP = Program("/usr/bin/dumpcap")
TCPDUMP = Program("/usr/bin/tcpdump")
OF_GROUP = Program("/usr/bin/dumpcap", runs=False, raises=True, group="wireshark")


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (HERE, f"start it with the rights of root: {NOW}"),
        (
            HERE._replace(dumpcap=DUMPCAP, tcpdump=TCPDUMP, debian=True),
            "`sudo dpkg-reconfigure wireshark-common` (answer Yes), `sudo usermod -aG wireshark alice`, then log out "
            f"and in again; or just now: {NOW}",
        ),
        (
            HERE._replace(dumpcap=OF_GROUP, tcpdump=TCPDUMP, debian=True),
            "`sudo usermod -aG wireshark alice`, then log out and in again (this group may start /usr/bin/dumpcap); or "
            f"just now: {NOW}",
        ),
        (
            HERE._replace(dumpcap=OF_GROUP, memberships=frozenset({"alice", "wireshark"})),
            "log out and in again (you are in the group wireshark, which may capture, but this session began before); "
            f"or just now: {NOW}",
        ),
        (
            HERE._replace(dumpcap=DUMPCAP),
            f"`sudo setcap cap_net_raw,cap_net_admin=eip /usr/bin/dumpcap`; or just now: {NOW}",
        ),
        (
            HERE._replace(tcpdump=TCPDUMP),
            f"`sudo setcap cap_net_raw,cap_net_admin=eip /usr/bin/tcpdump`; or just now: {NOW}",
        ),
        (
            HERE._replace(dumpcap=DUMPCAP, debian=True, held=WITHOUT_ADMIN),
            f"`sudo setcap cap_net_raw=eip /usr/bin/dumpcap`; or just now: {NOW}",
        ),
        (HERE._replace(tcpdump=TCPDUMP, setcap=False), f"start it with the rights of root: {NOW}"),
        (HERE._replace(dumpcap=Program("/d", nosuid=True)), f"start it with the rights of root: {NOW}"),
        (
            HERE._replace(tcpdump=Program("/t", raises=True)),
            f"use --backend tcpdump, which may capture here; or just now: {NOW}",
        ),
        (
            HERE._replace(elevates="", command=("/e", "live", "eth0")),
            "start it with the rights of root: as root `/e live eth0`",
        ),
        (
            HERE._replace(user="eve; reboot", dumpcap=OF_GROUP, command=("/e",)),
            "`sudo usermod -aG wireshark 'eve; reboot'`, then log out and in again (this group may start "
            "/usr/bin/dumpcap); or just now: `sudo /e`",
        ),
        (
            HERE._replace(held=Held(0, 0, ALL & ~(1 << NET_RAW), False), container="docker", dumpcap=DUMPCAP),
            "start this container with docker run --cap-add NET_RAW --cap-add NET_ADMIN",
        ),
        (
            HERE._replace(root=True, container="podman"),
            "start this container with podman run --cap-add NET_RAW --cap-add NET_ADMIN",
        ),
        (
            HERE._replace(root=True, container="kubernetes"),
            "add NET_RAW and NET_ADMIN to securityContext.capabilities.add of this container",
        ),
        (
            HERE._replace(root=True),
            "start it with CAP_NET_RAW: not even root has it here (systemd: see CapabilityBoundingSet=)",
        ),
        (
            HERE._replace(held=Held(0, 0, ALL, True), dumpcap=DUMPCAP),
            "start it in another session: no program may gain rights in this one (no_new_privs is set)",
        ),
        (HERE._replace(held=Held(1 << NET_RAW, 1 << NET_RAW, ALL, False)), ""),
        (HERE._replace(system="darwin", root=True, held=None), ""),
        (
            HERE._replace(system="darwin", held=None),
            f"install ChmodBPF, which comes with Wireshark; or just now: {NOW}",
        ),
        (
            HERE._replace(system="darwin", held=None, bpf_group=True),
            "`sudo dseditgroup -o edit -a alice -t user access_bpf`, then log out and in again; or just now: " + NOW,
        ),
        (
            HERE._replace(system="darwin", held=None, bpf_group=True, memberships=frozenset({"access_bpf"})),
            f"log out and in again (you are in the group access_bpf, which may capture); or just now: {NOW}",
        ),
        (HERE._replace(system="win32"), "install Npcap (https://npcap.com)"),
        (HERE._replace(system="win32", npcap=True), "start the terminal as administrator"),
    ],
)
def test_the_remedy_fits_what_is_there(here: Surroundings, expected: str) -> None:
    assert remedy(here) == expected


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with programs."""
    monkeypatch.setattr(surroundings, "_MORE_FOLDERS", ())
    return tmp_path


def program(folder: Path, name: str, mode: int) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_a_program_for_all(folder: Path) -> None:
    path = program(folder, "tcpdump", 0o755)
    found = find_program("tcpdump", {"PATH": f"/nowhere:{folder}"})
    assert found is not None
    assert (found.path, found.runs, found.raises, found.group) == (str(path), True, False, "")


def test_a_program_for_a_group_is_found_by_everybody(folder: Path) -> None:
    path = program(folder, "dumpcap", 0o754)
    found = find_program("dumpcap", {"PATH": str(folder)})
    assert found is not None
    assert found.group == path.group()


def test_what_is_no_program_is_passed_over(folder: Path) -> None:
    program(folder, "tcpdump", 0o644)
    (folder / "dumpcap").mkdir()
    for name in ("tcpdump", "dumpcap", "tshark"):
        assert find_program(name, {"PATH": str(folder)}) is None


def test_capabilities_of_a_file_let_its_user_capture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "tcpdump", 0o755)
    monkeypatch.setattr(surroundings.capabilities, "of_file", lambda path: 1 << NET_RAW | 1 << NET_ADMIN)
    monkeypatch.setattr(surroundings.capabilities, "held", lambda: NONE)
    found = find_program("tcpdump", {"PATH": str(folder)})
    assert found is not None
    assert found.raises != found.nosuid


def test_capabilities_that_nothing_may_have_here_give_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "tcpdump", 0o755)
    monkeypatch.setattr(surroundings.capabilities, "of_file", lambda path: 1 << NET_RAW | 1 << NET_ADMIN)
    monkeypatch.setattr(surroundings.capabilities, "held", lambda: WITHOUT_ADMIN)
    found = find_program("tcpdump", {"PATH": str(folder)})
    assert found is not None
    assert not found.raises


def test_it_is_started_again_by_full_paths_and_with_its_arguments(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(folder, "eiosniff", 0o755)
    monkeypatch.chdir(folder)
    assert look_around({}, ["./eiosniff", "live", "eth0", "-q"]).command == (str(path), "live", "eth0", "-q")
    assert look_around({}, [str(path), "doctor"]).command == (str(path), "live", "INTERFACE")
    module = os.path.join(folder, "__main__.py")  # noqa: PTH118
    assert look_around({}, [module, "live", "lo"]).command == (sys.executable, "-m", "eiosniff", "live", "lo")


def test_the_kind_of_container(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_DOCKER", folder / "docker")
    monkeypatch.setattr(surroundings, "_PODMAN", folder / "podman")
    assert look_around({}, []).container == ""
    (folder / "docker").touch()
    assert look_around({}, []).container == "docker"
    (folder / "podman").touch()
    assert look_around({}, []).container == "podman"
    assert look_around({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, []).container == "kubernetes"
