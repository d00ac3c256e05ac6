"""The interfaces of this machine: what they are called, their addresses, and which ones carry traffic.

On Linux the kernel says in /proc and /sys what they are and how much they carried; addresses, and all of other systems,
are what scapy finds.
"""

import difflib
import errno
import logging
import os
import re
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from eiosniff.errors import CaptureError

_ROOT: Final = Path("/")
_IFF_UP: Final = 1
_IFF_LOOPBACK: Final = 8
_ARPHRD_ETHER: Final = 1
_SIOCGIFFLAGS: Final = 0x8913
_SIOCGIFHWADDR: Final = 0x8927
_DOCKER_BRIDGE: Final = re.compile(r"docker\d+|br-[0-9a-f]{12}")
# What the kernel calls a kind of device (DEVTYPE in uevent), and what people do.
_KINDS: Final = {
    "wlan": "wireless", "bridge": "bridge", "vlan": "VLAN", "bond": "bond", "wwan": "mobile broadband",
    "wireguard": "WireGuard", "vxlan": "VXLAN tunnel", "geneve": "Geneve tunnel", "macvlan": "macvlan", "ppp": "PPP",
    "gadget": "USB", "l2tpeth": "L2TP tunnel", "macsec": "MACsec", "team": "bond",
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Device:
    """An interface. `packets` and `bytes` are those it received and sent so far; None where the system does not say.

    `description` says what it is in a word or more, empty where nothing is known. `addresses` are IPv4 first.
    """

    name: str
    addresses: tuple[str, ...] = ()
    up: bool = True
    loopback: bool = False
    description: str = ""
    packets: int | None = None
    bytes: int | None = None


class Rate(NamedTuple):
    """What an interface carries."""

    packets_per_s: float
    bytes_per_s: float


def devices(root: Path = _ROOT) -> list[Device]:
    """All interfaces: those that are up first, loopback last of these, in the order of the system.

    `root` is where /proc and /sys are. Nothing here needs rights.
    """
    known = _known()
    found = _linux(root, known) if sys.platform == "linux" else known.values()
    return sorted(found, key=lambda device: (not device.up, device.loopback))


def traffic(before: Iterable[Device], after: Iterable[Device], seconds: float) -> dict[str, Rate]:
    """What interfaces carried between two looks at them, by name; those of which that is known."""
    earlier = {device.name: device for device in before}
    rates = {}
    for device in after:
        old = earlier.get(device.name)
        if old is None or None in (old.packets, old.bytes, device.packets, device.bytes) or seconds <= 0:
            continue
        packets, octets = (device.packets or 0) - (old.packets or 0), (device.bytes or 0) - (old.bytes or 0)
        rates[device.name] = Rate(max(packets, 0) / seconds, max(octets, 0) / seconds)  # less: it was made again
    return rates


def names() -> list[str]:
    """What all interfaces are called."""
    return [name for _, name in socket.if_nameindex()]


def closest(name: str, known: Sequence[str]) -> str | None:
    """The name that was perhaps meant; None if none is like it."""
    alike = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), alike, 1)
    return alike[found[0]] if found else None


def unknown_interface(name: str) -> CaptureError:
    """What to say of an interface that is none."""
    known = names()
    meant = closest(name, known)
    listed = ", ".join(known[:20]) or "none"
    return CaptureError(
        f"there is no interface {name!r}", f"did you mean {meant!r}?" if meant else f"there are: {listed}"
    )


def has_tags(interface: str) -> bool:
    """Whether a filter for this interface may ask for VLAN tags: on Linux that of Ethernet may, elsewhere none does."""
    try:
        return sys.platform == "linux" and hardware_type(interface) == _ARPHRD_ETHER
    except OSError:
        return False


def hardware_type(interface: str) -> int:
    """What kind of interface it is for Linux: a number of linux/if_arp.h. Raises `OSError` if there is none."""
    return _asked(interface, _SIOCGIFHWADDR)


def is_up(interface: str) -> bool:
    """Whether an interface is switched on, as Linux has it. Raises `OSError` if there is none."""
    return bool(_asked(interface, _SIOCGIFFLAGS) & _IFF_UP)


def _asked(interface: str, request: int) -> int:
    """The number that Linux answers to a request about an interface (netdevice(7)). Raises `OSError`."""
    import fcntl  # noqa: PLC0415  (there is none on Windows)

    if interface not in names():  # one that is too long would be cut, and perhaps be another
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, request, struct.pack("16s24x", os.fsencode(interface)))
    number: int = struct.unpack_from("=H", answer, 16)[0]
    return number


def _known() -> dict[str, Device]:
    """What scapy finds, by name; nothing where it cannot be loaded."""
    try:
        import scapy.error  # noqa: PLC0415  (it sets the level of its logger)
    except (ImportError, OSError):
        return {}
    logger = logging.getLogger("scapy")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # what it has to say is not for users of eiosniff
    try:
        import scapy.arch  # noqa: F401, PLC0415  (takes a while; it knows this system)
        from scapy.config import conf  # noqa: PLC0415

        conf.ifaces.reload()
        return {device.name: device for device in map(_of_scapy, conf.ifaces.values())}
    except (ImportError, OSError):
        return {}
    finally:
        logger.setLevel(level)


def _of_scapy(interface: Any) -> Device:
    flags = str(interface.flags or "").split("+")
    return Device(
        name=str(interface.name),
        addresses=tuple(str(address) for version in (4, 6) for address in interface.ips.get(version, ())),
        up="UP" in flags,
        loopback="LOOPBACK" in flags,
        description="" if interface.description == interface.name else str(interface.description),
    )


def _linux(root: Path, known: Mapping[str, Device]) -> Iterator[Device]:
    """Those of /proc/net/dev: of this network namespace, where /sys may be of another."""
    for line in _text(root / "proc/net/dev").splitlines()[2:]:
        name, _, counters = line.rpartition(":")
        fields = counters.split()
        if len(fields) < 10 or not all(field.isdecimal() for field in fields[:10]):
            continue
        name = name.strip()
        folder = root / "sys/class/net" / name
        flags = int(_text(folder / "flags").strip() or "0", 16)
        there = known.get(name, Device(name, (), bool(flags & _IFF_UP), bool(flags & _IFF_LOOPBACK)))
        yield replace(
            there,
            description="loopback" if there.loopback else _description(name, folder),
            packets=int(fields[1]) + int(fields[9]),
            bytes=int(fields[0]) + int(fields[8]),
        )


def _description(name: str, folder: Path) -> str:
    """What an interface of Linux is, by what there is of it in /sys/class/net; empty for a plain network card."""
    if _DOCKER_BRIDGE.fullmatch(name):
        return "bridge of Docker"
    kind = re.search(r"^DEVTYPE=(.*)$", _text(folder / "uevent"), re.MULTILINE)
    if kind:
        return _KINDS.get(kind[1], kind[1])
    if (folder / "wireless").exists():
        return "wireless"
    if (folder / "tun_flags").exists():
        return "tunnel of a program (tun, tap)"
    card = (folder / "device").exists()
    peer, own = _text(folder / "iflink").strip(), _text(folder / "ifindex").strip()
    if not card and peer not in ("", "0", own):
        return "veth, one end of a pair"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
