"""The list of interfaces, from what Linux says of them in made folders."""

import errno
import sys

import pytest

from eiosniff.capture.live import devices
from eiosniff.capture.live.devices import Device, Rate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what Linux says is read on Linux only")

HEAD = "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n"


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Adds interfaces to a made system."""
    monkeypatch.setattr(devices, "_known", dict)
    (tmp_path / "proc/net").mkdir(parents=True)
    table = tmp_path / "proc/net/dev"
    table.write_text(HEAD)

    def add(name, counters="10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0", flags="0x1003", **files):
        with table.open("a") as file:
            file.write(f"{name:>6}: {counters}\n")
        folder = tmp_path / "sys/class/net" / name
        folder.mkdir(parents=True)
        for file_name, text in {"flags": flags, **files}.items():
            (folder / file_name).write_text(f"{text}\n")

    add.root = tmp_path
    return add


def test_those_that_are_up_come_first_and_loopback_after_them(system):
    system("lo", flags="0x9")
    system("eth1", flags="0x1002")
    system("eth0")
    found = devices.devices(system.root)
    assert [device.name for device in found] == ["eth0", "lo", "eth1"]
    assert found[0] == Device("eth0", (), True, False, "", 3, 30)
    assert found[1].loopback
    assert found[1].description == "loopback"
    assert not found[2].up


@pytest.mark.parametrize(
    ("name", "files", "description"),
    [
        ("wlp2s0", {"uevent": "DEVTYPE=wlan\nINTERFACE=wlp2s0"}, "wireless"),
        ("wlan0", {"wireless": ""}, "wireless"),
        ("docker0", {"uevent": "DEVTYPE=bridge"}, "bridge of Docker"),
        ("br-0123456789ab", {"uevent": "DEVTYPE=bridge"}, "bridge of Docker"),
        ("br-lan", {"uevent": "DEVTYPE=bridge"}, "bridge"),
        ("veth12ab", {"iflink": "7", "ifindex": "8", "uevent": "INTERFACE=veth12ab"}, "veth, one end of a pair"),
        ("tun0", {"tun_flags": "0x1"}, "tunnel of a program (tun, tap)"),
        ("odd0", {"uevent": "DEVTYPE=hsr"}, "hsr"),
        ("eth0", {"iflink": "2", "ifindex": "2"}, ""),
    ],
)
def test_what_an_interface_is(system, name, files, description):
    system(name, **files)
    (found,) = devices.devices(system.root)
    assert found.description == description


def test_what_nobody_understands_is_left_out(system):
    system("bad", counters="1 2 x")
    system("eth0", flags="")
    assert [device.name for device in devices.devices(system.root)] == ["eth0"]


def test_a_system_that_says_nothing_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_known", dict)
    assert devices.devices(tmp_path) == []


def test_addresses_are_those_that_scapy_knows():
    (loopback,) = [device for device in devices.devices() if device.name == "lo"]
    assert "127.0.0.1" in loopback.addresses
    assert loopback.loopback


def test_traffic_is_what_was_carried_between_two_looks():
    before = [Device("eth0", packets=100, bytes=1000), Device("eth1", packets=5, bytes=50), Device("new0")]
    after = [Device("eth0", packets=150, bytes=6000), Device("eth1", packets=1, bytes=10), Device("new0")]
    assert devices.traffic(before, after, 0.5) == {"eth0": Rate(100.0, 10_000.0), "eth1": Rate(0.0, 0.0)}
    assert devices.traffic(before, after, 0) == {}


@pytest.mark.parametrize(
    ("name", "meant"), [("eht0", "eth0"), ("ETH0", "eth0"), ("wlan", "wlan0"), ("xyzzy", None), ("", None)]
)
def test_the_name_that_was_meant(name, meant):
    assert devices.closest(name, ["lo", "eth0", "wlan0"]) == meant


def test_an_unknown_interface_is_told_with_those_there_are(monkeypatch):
    monkeypatch.setattr(devices, "names", lambda: ["lo", "eth0"])
    assert "did you mean 'eth0'?" in str(devices.unknown_interface("eth00"))
    assert "there are: lo, eth0" in str(devices.unknown_interface("xyzzy"))


@pytest.mark.parametrize("name", ["nosuch0", "x" * 40, "lo" + "\0"])
def test_an_interface_that_is_none_has_no_hardware(name):
    with pytest.raises(OSError, match="No such device") as caught:
        devices.hardware_type(name)
    assert caught.value.errno == errno.ENODEV
    assert not devices.has_tags(name)


def test_loopback_has_no_tags():
    assert devices.hardware_type("lo") == 772
    assert not devices.has_tags("lo")
    assert not devices.has_tags("any")
