# SPDX-License-Identifier: GPL-2.0-or-later
"""Records one short healthy conversation in all the ways in which captured packets arrive.

    record_carriers.py list
    record_carriers.py all            record, wrap and write carriers.toml

Some are recorded where it happens: on an underlay of VXLAN, on all interfaces of a bridge and of a
router that translates addresses. The others are made from `carriers/plain.pcap` (or, for IPv6,
`plain-ipv6.pcap`) by wrapping each packet: this kernel has no GRE, and no radio. Needs what
record_healthy.py needs, iptables, editcap and zstd.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_file import toml
from lab import Lab, LabError, RelayPlan
from record_healthy import NODE_4, Scenario

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "carriers"
INDEX_HEAD = """\
# Written by record_carriers.py. `truth` lists the Socket.IO packets that the peers logged as sent;
# `made_from` is the recording whose packets were wrapped, where it was not recorded so.
"""
SCENARIO = Scenario(NODE_4, NODE_4, "upgrade", report=0)  # without its long messages
PORT = SCENARIO.port


@dataclass(frozen=True)
class Carrier:
    """One recording: `make` writes it, and the truth if `source` is empty."""

    name: str
    what: str
    make: Callable[[Path, Path], None]
    source: str = ""

    @property
    def stem(self) -> str:
        return self.name.partition(".")[0]


# -- recorded where it happens ---------------------------------------------------------------------


class Middle(Lab):
    """A lab with a third host in the middle, which passes frames by itself: a bridge, or a router."""

    def __init__(self) -> None:
        super().__init__(RelayPlan())

    def _build(self) -> None:
        self._plan, plan = None, self._plan
        for side in ("client", "server", "relay"):
            subprocess.run(["ip", "netns", "add", self.namespace(side)], check=True)
            self._cleanup.callback(subprocess.run, ["ip", "netns", "delete", self.namespace(side)])
            self.run_ip(side, ["link", "set", "lo", "up"])
        self._plan = plan
        self._join("client", "eth0", "relay", "toclient")
        self._join("relay", "toserver", "server", "eth0")
        self.connect()

    def connect(self) -> None:
        raise NotImplementedError

    def inside(self, *argv: str) -> None:
        done = self.run("relay", argv)
        if done.returncode:
            raise LabError(f"{argv}: {done.output}")


class Bridge(Middle):
    def connect(self) -> None:
        self.run_ip("relay", ["link", "add", "br0", "type", "bridge"])
        for device in ("toclient", "toserver"):
            self.run_ip("relay", ["link", "set", device, "master", "br0"])
        self.run_ip("relay", ["link", "set", "br0", "up"])
        self.run_ip("client", ["address", "add", f"{self.client_ip}/24", "dev", "eth0"])
        self.run_ip("server", ["address", "add", f"{self.server_ip}/24", "dev", "eth0"])


class Router(Middle):
    """Port 80 of the router is port 3000 of the server, whose network the client does not know."""

    outside, inner_server = "10.77.0.254", "10.78.0.2"

    def connect(self) -> None:
        for device, address in (("toclient", self.outside), ("toserver", "10.78.0.254")):
            self.run_ip("relay", ["address", "add", f"{address}/24", "dev", device])
        self.run_ip("client", ["address", "add", f"{self.client_ip}/24", "dev", "eth0"])
        self.run_ip("server", ["address", "add", f"{self.inner_server}/24", "dev", "eth0"])
        self.run_ip("server", ["route", "add", "default", "via", "10.78.0.254"])
        self.inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        to = f"{self.inner_server}:{PORT}"
        dnat = ("-p", "tcp", "-d", self.outside, "--dport", "80", "-j", "DNAT", "--to-destination", to)
        self.inside("iptables", "-t", "nat", "-A", "PREROUTING", *dnat)


def _converse(lab: Lab, capture: Path, truth: Path, url: str, *, side: str, device: str, only: str = "tcp") -> None:
    """Let the peers talk, and record it; both write down what they send."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder, name) for name in ("server", "client")]
        serve, server_env = NODE_4.program("server")
        talk, client_env = NODE_4.program("client")
        config = json.loads(SCENARIO.config("client", NODE_4, logs[1], "host"))
        config["url"] = url
        server = lab.start("server", [*serve, SCENARIO.config("server", NODE_4, logs[0], "")], env=server_env)
        # The kernel's buffer is cut into pieces of the snap length: more of them, for packets that come twice.
        with lab.capture(capture, side=side, device=device, filter=only, snaplen=4096):  # type: ignore[arg-type]
            result = lab.run("client", [*talk, json.dumps(config)], env=client_env)
        server.stop()
        if result.returncode:
            raise LabError(f"{capture.name}: {result.output}\nserver:\n{server.output}")
        lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    lines.sort(key=lambda line: float(line["time"]))
    with truth.open("w") as file:
        for line in lines:
            del line["time"]
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def plain(capture: Path, truth: Path) -> None:
    with Lab() as lab:
        _converse(lab, capture, truth, f"http://{lab.server_ip}:{PORT}", side="server", device="eth0")


def plain_ipv6(capture: Path, truth: Path) -> None:
    with Lab() as lab:
        _converse(lab, capture, truth, f"http://[{lab.server_ip6}]:{PORT}", side="server", device="eth0")


def vxlan(capture: Path, truth: Path) -> None:
    with Lab() as lab:
        ends: list[tuple[Any, str, str]] = [
            ("client", lab.client_ip, lab.server_ip),
            ("server", lab.server_ip, lab.client_ip),
        ]
        for side, local, remote in ends:
            tunnel = ["type", "vxlan", "id", "42", "dstport", "4789", "local", local, "remote", remote]
            lab.run_ip(side, ["link", "add", "vxlan42", *tunnel, "dev", "eth0"])
            lab.run_ip(side, ["address", "add", local.replace("10.77", "10.79") + "/24", "dev", "vxlan42"])
            lab.run_ip(side, ["link", "set", "vxlan42", "up"])
        url = f"http://10.79.0.2:{PORT}"
        _converse(lab, capture, truth, url, side="server", device="eth0", only="udp port 4789")


def any_bridge(capture: Path, truth: Path) -> None:
    with Bridge() as lab:
        _converse(lab, capture, truth, f"http://{lab.server_ip}:{PORT}", side="relay", device="any")


def any_dnat(capture: Path, truth: Path) -> None:
    with Router() as lab:
        _converse(lab, capture, truth, f"http://{Router.outside}:80", side="relay", device="any")


# -- the same file in another form -----------------------------------------------------------------


def gzipped(capture: Path, source: Path) -> None:
    capture.write_bytes(gzip.compress(source.read_bytes(), mtime=0))


def zstd(capture: Path, source: Path) -> None:
    subprocess.run(["zstd", "-q", "-f", str(source), "-o", str(capture)], check=True)


def with_secrets(capture: Path, source: Path) -> None:
    """The keys are of no connection in it: they only must not be in the way."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as keys:
        keys.write(f"CLIENT_RANDOM {'01' * 32} {'02' * 48}\n")
        keys.flush()
        secrets = ["--inject-secrets", f"tls,{keys.name}"]
        subprocess.run(["editcap", *secrets, "-F", "pcapng", str(source), str(capture)], check=True)


# -- wrapped by scapy ------------------------------------------------------------------------------


def _wrapped(link_type: int, wrap: Callable[[Any], Sequence[Any]]) -> Callable[[Path, Path], None]:
    """Makes a capture in which each packet of another is what `wrap` makes of it."""

    def make(capture: Path, source: Path) -> None:
        s = _layers()
        with s.PcapReader(str(source)) as packets, s.PcapWriter(str(capture), linktype=link_type) as out:
            for packet in packets:
                for part in wrap(packet):
                    part.time = packet.time
                    out.write(part)

    return make


def _layers() -> Any:
    """All of scapy that is needed, imported when it is."""
    import scapy.all as layers  # noqa: PLC0415
    from scapy.contrib.erspan import ERSPAN_II  # noqa: PLC0415
    from scapy.contrib.geneve import GENEVE  # noqa: PLC0415
    from scapy.contrib.mpls import MPLS  # noqa: PLC0415

    layers.ERSPAN_II, layers.GENEVE, layers.MPLS = ERSPAN_II, GENEVE, MPLS
    return layers


OUTER = {"src": "172.16.0.1", "dst": "172.16.0.2"}
OUTER6 = {"src": "fd16::1", "dst": "fd16::2"}


def _frame(packet: Any) -> Any:
    return _layers().Ether(src=packet.src, dst=packet.dst)


def pppoe(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.PPPoE(sessionid=0x11) / s.PPP(proto=0x21) / packet.payload]


def gre(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.IP(**OUTER) / s.GRE(key_present=1, key=7) / packet.payload]


def erspan(packet: Any) -> list[Any]:
    s = _layers()
    mirror = s.GRE(proto=0x88BE, seqnum_present=1) / s.ERSPAN_II(session_id=1, vlan=10)
    return [_frame(packet) / s.IP(**OUTER) / mirror / packet]


def mpls(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.MPLS(label=100, s=0, ttl=60) / s.MPLS(label=200, s=1, ttl=60) / packet.payload]


def ipip(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.IP(**OUTER) / packet.payload]


def geneve(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.IP(**OUTER) / s.UDP(sport=50001, dport=6081) / s.GENEVE(vni=5, proto=0x6558) / packet]


def qinq(packet: Any) -> list[Any]:
    s = _layers()
    return [_frame(packet) / s.Dot1AD(vlan=100) / s.Dot1Q(vlan=20) / packet.payload]


def ppp(packet: Any) -> list[Any]:
    s = _layers()
    return [s.Raw(bytes(s.HDLC() / s.PPP(proto=0x21) / packet.payload))]


def fragments(packet: Any) -> list[Any]:
    s = _layers()
    if len(packet) < 300:
        return [packet]
    packet.payload.flags = 0
    return list(s.fragment(packet, fragsize=256))


def fragments_ipv6(packet: Any) -> list[Any]:
    s = _layers()
    if len(packet) < 300:
        return [packet]
    ip = packet.payload
    whole = s.IPv6(src=ip.src, dst=ip.dst, hlim=ip.hlim) / s.IPv6ExtHdrFragment(id=packet.payload.payload.seq)
    return [_frame(packet) / part for part in s.fragment6(whole / ip.payload, 312)]


def wifi() -> Callable[[Any], list[Any]]:
    """An open network as a card in monitor mode hears it: the client is a station, the server behind
    the access point. Now and then a frame is sent again, since its acknowledgement was not heard,
    the point tells of itself, and a neighbour has a network with encryption."""
    count = 0

    def wrap(packet: Any) -> list[Any]:
        nonlocal count
        s = _layers()
        count += 1
        point = "02:00:00:00:00:aa"
        from_client = packet.payload.payload.dport == PORT
        addresses = (point, packet.src, packet.dst) if from_client else (packet.dst, point, packet.src)
        names = dict(zip(("addr1", "addr2", "addr3"), addresses, strict=True))
        way = "to_DS" if from_client else "from_DS"

        def heard(frame: Any) -> Any:
            return s.RadioTap(present="Flags+Rate+Channel", Flags="FCS", Rate=12, ChannelFrequency=2437) / frame

        def data(flags: str) -> Any:
            frame = s.Dot11FCS(type=2, subtype=8, FCfield=flags, SC=count % 4096 << 4, **names) / s.Dot11QoS()
            return heard(frame / s.LLC() / s.SNAP() / packet.payload)

        parts = [data(way)]
        if count % 10 == 0:
            parts.append(data(f"{way}+retry"))
        if count % 15 == 0:
            beacon = s.Dot11FCS(type=0, subtype=8, addr1="ff:ff:ff:ff:ff:ff", addr2=point, addr3=point)
            parts.append(heard(beacon / s.Dot11Beacon() / s.Dot11Elt(ID=0, info=b"cafe")))
            secret = s.Dot11FCS(type=2, FCfield="to_DS+protected", addr1="02:00:00:00:00:bb")
            parts.append(heard(secret / s.Dot11CCMP(PN0=count % 256, data=bytes(range(48)))))
        return parts

    return wrap


CARRIERS = [
    Carrier("plain.pcap", "The conversation as it is, over Ethernet and IPv4; most others are made from it.", plain),
    Carrier("plain-ipv6.pcap", "The same over IPv6.", plain_ipv6),
    Carrier("vxlan.pcap", "In VXLAN (Linux's own), captured on the network below.", vxlan),
    Carrier(
        "any-bridge.pcap",
        "Captured with `tcpdump -i any` on a bridge between client and server: each packet twice.",
        any_bridge,
    ),
    Carrier(
        "any-dnat.pcap",
        "Captured with `tcpdump -i any` on a router that translates its port 80 to the server's 3000: each packet once "
        "on either side, with other addresses.",
        any_dnat,
    ),
    Carrier("gzip.pcap.gz", "Compressed with gzip.", gzipped, "plain"),
    Carrier("zstd.pcap.zst", "Compressed with zstd.", zstd, "plain"),
    Carrier("secrets.pcapng", "pcapng with a block of TLS secrets (editcap --inject-secrets).", with_secrets, "plain"),
    Carrier(
        "radiotap.pcap",
        "802.11 of an open network with radiotap headers, with retries, beacons and a neighbour's encrypted frames.",
        _wrapped(127, wifi()),
        "plain",
    ),
    Carrier("pppoe.pcap", "In PPPoE.", _wrapped(1, pppoe), "plain"),
    Carrier("gre.pcap", "In GRE with a key.", _wrapped(1, gre), "plain"),
    Carrier("erspan.pcap", "Mirrored by ERSPAN type II.", _wrapped(1, erspan), "plain"),
    Carrier("mpls.pcap", "Under two MPLS labels.", _wrapped(1, mpls), "plain"),
    Carrier("ipip.pcap", "IPv4 in IPv4.", _wrapped(1, ipip), "plain"),
    Carrier("6in4.pcap", "IPv6 in IPv4.", _wrapped(1, ipip), "plain-ipv6"),
    Carrier("geneve.pcap", "In Geneve.", _wrapped(1, geneve), "plain"),
    Carrier("qinq.pcap", "With two VLAN tags (802.1ad and 802.1Q).", _wrapped(1, qinq), "plain"),
    Carrier("ppp.pcap", "PPP in HDLC-like framing.", _wrapped(9, ppp), "plain"),
    Carrier("fragments.pcap", "IPv4 fragments of 256 bytes.", _wrapped(1, fragments), "plain"),
    Carrier("fragments-ipv6.pcap", "IPv6 fragments.", _wrapped(1, fragments_ipv6), "plain-ipv6"),
]


def record(carrier: Carrier) -> dict[str, Any]:
    """Make the recording and its truth; returns the entry for the index."""
    FOLDER.mkdir(exist_ok=True)
    truth = FOLDER / f"{carrier.stem}.truth.jsonl"
    capture = FOLDER / carrier.name
    if carrier.source:
        carrier.make(capture, FOLDER / f"{carrier.source}.pcap")
        shutil.copy(FOLDER / f"{carrier.source}.truth.jsonl", truth)
    else:
        carrier.make(capture, truth)
    entry: dict[str, Any] = {"file": f"carriers/{carrier.name}", "truth": f"carriers/{truth.name}"}
    for side in ("server", "client"):
        entry[side] = {"library": NODE_4.library(side), "version": NODE_4.version}
    if carrier.source:
        entry["made_from"] = f"carriers/{carrier.source}.pcap"
    return entry | {"engineio": 4, "what": carrier.what}


def _entries() -> Iterator[dict[str, Any]]:
    for carrier in CARRIERS:
        yield record(carrier)
        print(f"recorded {carrier.name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("list", "all"))
    if parser.parse_args().command == "list":
        print(*(carrier.name for carrier in CARRIERS), sep="\n")
        return 0
    entries = [toml(entry) for entry in _entries()]
    (HERE / "carriers.toml").write_text("\n".join([INDEX_HEAD, *entries]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
