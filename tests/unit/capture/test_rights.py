import os
import struct
from types import SimpleNamespace

import pytest

from eiosniff.capture.live import capabilities, rights
from eiosniff.capture.live.rights import User, invoking_user
from eiosniff.errors import EiosniffError

ALICE = User("alice", 1000, 100, (100, 27, 44), "/home/alice")
PEOPLE = {
    "alice": SimpleNamespace(pw_name="alice", pw_uid=1000, pw_gid=100, pw_dir="/home/alice"),
    "root": SimpleNamespace(pw_name="root", pw_uid=0, pw_gid=0, pw_dir="/root"),
}


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """We are root, on a system with two users."""
    monkeypatch.setattr(rights, "is_root", lambda: True)
    monkeypatch.setattr(rights.pwd, "getpwnam", PEOPLE.__getitem__)
    monkeypatch.setattr(rights.pwd, "getpwuid", {each.pw_uid: each for each in PEOPLE.values()}.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, 27, 44])


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "environment",
    [
        {"SUDO_UID": "1000", "SUDO_GID": "100", "SUDO_USER": "alice"},
        {"SUDO_UID": "1000"},
        {"SUDO_UID": "1000", "SUDO_GID": "0", "SUDO_USER": "somebody"},  # the group is what the system says
        {"PKEXEC_UID": "1000"},
        {"DOAS_USER": "alice"},
        {"SUDO_UID": "0", "SUDO_GID": "0", "SUDO_USER": "root", "PKEXEC_UID": "1000"},
    ],
)
def test_whoever_called_is_known(environment: dict[str, str]) -> None:
    assert invoking_user(environment) == ALICE


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("uid", ["abc", "", "-1", "0", " 1000", "１０００", "4294967295", "99999999999", "1e3", "4242"])
def test_nonsense_names_nobody(uid: str) -> None:
    assert invoking_user({"SUDO_UID": uid, "SUDO_GID": "x"}) is None
    assert invoking_user({"PKEXEC_UID": uid}) is None


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", ["", "mallory", "root", "a\0b"])
def test_a_name_that_is_nobodys_names_nobody(name: str) -> None:
    assert invoking_user({"DOAS_USER": name}) is None


@pytest.mark.usefixtures("root")
def test_a_user_whom_the_system_does_not_know_is_one_by_number() -> None:
    assert invoking_user({"SUDO_UID": "4242", "SUDO_GID": "99", "SUDO_USER": "eve"}) == User(
        "4242", 4242, 99, (99,), ""
    )


def test_nobody_is_invoking_where_we_are_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert invoking_user({"SUDO_UID": "1000"}) is None


def test_rights_that_cannot_be_given_up_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(groups: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(EiosniffError, match="cannot be given up for those of alice: Operation not permitted; start"):
        rights.drop_to(ALICE)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            "Name:\tx\nCapInh:\t0\nCapPrm:\t0000000000003002\nCapEff:\t0000000000002000\nCapBnd:\t00000000a80425fb\n"
            "NoNewPrivs:\t1\n",
            capabilities.Held(0x2000, 0x3002, 0xA80425FB, True),
        ),
        ("CapPrm:\t1\nCapEff:\t1\nCapBnd:\t1\n", capabilities.Held(1, 1, 1, False)),
        ("Name:\tx\n", None),
        ("CapPrm:\tzz\nCapEff:\t1\nCapBnd:\t1\n", None),
        (None, None),
    ],
)
def test_capabilities_of_a_process(tmp_path, status: str | None, expected: capabilities.Held | None) -> None:
    if status is not None:
        (tmp_path / "status").write_text(status)
    assert capabilities.held(tmp_path / "status") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (struct.pack("<5I", 0x02000001, 0x3000, 0x3000, 0, 0), 0x3000),  # setcap cap_net_raw,cap_net_admin=eip
        (struct.pack("<6I", 0x03000001, 0x2000, 0, 0, 0, 1000), 0x2000),  # of a user namespace
        (struct.pack("<5I", 0x02000000, 0x3000, 0x3000, 0, 0), 0),  # not effective
        (b"\1", 0),
        (None, 0),
    ],
)
def test_capabilities_of_a_file(monkeypatch: pytest.MonkeyPatch, value: bytes | None, expected: int) -> None:
    def getxattr(path: str, name: str) -> bytes:
        if value is None:
            raise OSError(61, "No data available")
        return value

    monkeypatch.setattr(os, "getxattr", getxattr, raising=False)
    monkeypatch.setattr(capabilities.sys, "platform", "linux")
    assert capabilities.of_file("/usr/bin/dumpcap") == expected
