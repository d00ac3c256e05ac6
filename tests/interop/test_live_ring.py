"""Packets of an interface through the ring, between two network namespaces, and as tcpdump sees them."""

import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from eiosniff.capture.live.source import State, decodable
from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.model.batch import LinkType
from tests.interop.namespaces import FAR_ADDRESS, NEAR_ADDRESS, network, run

if sys.platform != "linux":
    pytest.skip("packet rings are of Linux", allow_module_level=True)

from eiosniff.capture.live import filters
from eiosniff.capture.live.opener import DirectOpener
from eiosniff.capture.live.portable import PortableSource
from eiosniff.capture.live.ring import BLOCK_BYTES, RingSource

__all__ = ["network"]  # a fixture

pytestmark = pytest.mark.interop

PATIENCE_S = 10.0
ETHERNET = bytes.fromhex("020000000002020000000001")
BEGIN, END = 9001, 9002  # ports of packets between which traffic is compared


def ip_udp(port, payload=b"payload", source_port=4000):
    udp = struct.pack(">4H", source_port, port, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(FAR_ADDRESS) + socket.inet_aton(NEAR_ADDRESS)
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + ends + udp


def frame(port=3000, tags=b"", payload=b"payload"):
    """An Ethernet frame with UDP to a port."""
    return ETHERNET + tags + b"\x08\0" + ip_udp(port, payload)


def frame6(port):
    ends = bytes(15) + b"\x01" + bytes(15) + b"\x02"
    udp = struct.pack(">4H", 4000, port, 12, 0) + b"six!"
    return ETHERNET + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + ends + udp


def frames_of(batch):
    places = zip(batch.offset.tolist(), batch.captured.tolist(), strict=True)
    return [bytes(batch.buffer[offset : offset + length]) for offset, length in places]


def wait_for(condition, source=None):
    """Poll until it holds, taking what the source has; all of that."""
    taken = []
    end = time.monotonic() + PATIENCE_S
    while not condition(taken):
        assert time.monotonic() < end, f"after {PATIENCE_S} s there are {len(taken)} packets"
        descriptor = -1 if source is None else source.fileno()
        select.select([descriptor] if descriptor >= 0 else [], [], [], 0.05)
        if source is not None:
            for batch in source.take():
                taken += frames_of(batch)
            source.poll()
    return taken


def take(source, count):
    """As many packets as that, and it must be no more."""
    taken = wait_for(lambda taken: len(taken) >= count, source)
    assert len(taken) == count
    return taken


def ring(interface, expression="", **options):
    return RingSource(interface, expression, DirectOpener(), **options)


@contextmanager
def tcpdump(interface, path, expression):
    """tcpdump writes to a file what the block does."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed: nothing was compared with it")
    command = ["tcpdump", "-i", interface, "-w", str(path), "-U", "-B", "32768", "-s", "262144", "-Z", "root"]
    with subprocess.Popen([*command, *expression.split()], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any("listening on" in line for line in process.stderr)
            yield
            ending = struct.pack(">H", END)
            wait_for(lambda _: path.exists() and path.read_bytes().rfind(b"the end " + ending) > 0)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def between_marks(frames):
    first = next(index for index, each in enumerate(frames) if b"the beginning" in each)
    last = next(index for index, each in enumerate(frames) if b"the end" in each)
    return sorted(frames[first : last + 1])


def speak(network):
    """Traffic of many kinds, and marks around it."""
    with network.sender() as far:
        far.send(frame(BEGIN, payload=b"the beginning"))
        for port in (3000, 3001):
            for tags in (b"", b"\x81\0\0\x05", b"\x88\xa8\x60\x07", b"\x81\0\0\0", b"\x88\xa8\0\x05\x81\0\0\x06"):
                far.send(frame(port, tags))
            far.send(frame6(port))
        far.send(ETHERNET + b"\x08\x06" + bytes(28))  # ARP, more or less
        far.send(ETHERNET + b"\x88\xb5" + b"experimental".ljust(50))
        stream()
        stream(network.on_the_far_side, NEAR_ADDRESS)
        far.send(frame(END, payload=b"the end " + struct.pack(">H", END)))


def stream(there=lambda make: make(), address="127.0.0.1"):
    """A megabyte over TCP, so that there are packets longer than the wire takes."""
    with socket.create_server((address, 3000)) as server, there(socket.socket) as client:
        client.connect((address, 3000))
        accepted, _ = server.accept()
        with accepted:
            client.settimeout(PATIENCE_S)
            for _ in range(4):
                client.sendall(b"x" * 250_000)
                got = 0
                while got < 250_000:
                    got += len(accepted.recv(1 << 20))


@pytest.mark.parametrize(
    ("interface", "expression"),
    [
        ("near", ""),
        ("near", "udp port 3001 or port 9001 or 9002"),
        ("near", filters.build("", [3000, BEGIN, END], tagged=True).replace("tcp port", "port")),
        ("any", ""),
        ("any", "udp port 3001 or port 9001 or 9002"),
        ("any", "not tcp and not arp"),
    ],
)
def test_every_packet_is_as_tcpdump_has_it(network, tmp_path, interface, expression):
    name = network.near if interface == "near" else "any"
    path = tmp_path / "tcpdump.pcap"
    with ring(name, expression) as source:
        with tcpdump(name, path, expression):
            speak(network)
        found = wait_for(lambda taken: any(b"the end" in each for each in taken), source)
        assert source.dropped == 0
    with open_source(str(path)) as written:
        expected = [each for batch in written for each in frames_of(batch)]
        assert written.link_types == source.link_types
    assert between_marks(found) == between_marks(expected)
    assert len(between_marks(found)) >= 5
    if "vlan" in expression:  # those to port 3000, with no tag and each of the others, and that over IPv6
        assert sum(b"\x0f\xa0\x0b\xb8" in each for each in found) == 6
    if not expression:
        assert max(map(len, found)) > 1514


def test_times_are_those_of_the_packets(network):
    with ring(network.near) as source, network.sender() as far:
        before = time.time_ns()
        far.send(frame())
        after = time.time_ns()
        wait_for(lambda taken: taken, source)
        # The kernel's clock of packets and ours are read apart.
        assert before - 1_000_000 <= source.first_ns <= after + 1_000_000


@pytest.mark.parametrize("interface", ["near", "any"])
def test_what_comes_can_be_decoded(network, interface):
    with ring(network.near if interface == "near" else "any", "tcp dst port 3000") as source:
        stream(network.on_the_far_side, NEAR_ADDRESS)
        decoder, first, length = PacketDecoder(), None, 0
        end = time.monotonic() + PATIENCE_S
        while length < 1_000_000:
            assert time.monotonic() < end
            select.select([source], [], [], 0.1)
            for batch in source.take():
                segments = decoder.decode(decodable(batch))
                if first is None:
                    first = int(segments.seq[0]) + 1  # behind the SYN
                place = (segments.seq - first & 0xFFFF_FFFF) + segments.payload_captured
                length = max(length, *place[segments.payload_captured > 0].tolist(), 0)
        assert length == 1_000_000


def test_a_lone_packet_comes_soon(network):
    with ring(network.near) as source, network.sender() as far:
        far.send(frame())
        assert select.select([source], [], [], PATIENCE_S)[0]
        (batch,) = source.take()
        assert time.time_ns() - int(batch.ts_ns[0]) < 1_000_000_000  # it is a fifth of it on an idle machine
        assert source.take() == []
        assert not select.select([source], [], [], 0)[0]


def test_what_the_filter_leaves_out_never_leaves_the_kernel(network):
    opened = DirectOpener().packet_socket(network.near, "udp port 3001")
    with opened, network.sender() as far:
        for _ in range(50):
            far.send(frame(3000))
        far.send(frame(3001))
        assert select.select([opened], [], [], PATIENCE_S)[0]
        came, dropped = struct.unpack("=2I", opened.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
    assert (came, dropped) == (1, 0)


def test_ports_and_hosts_are_found_behind_all_tags(network):
    expression = filters.build("udp or tcp", [3000], [NEAR_ADDRESS], tagged=True).replace("tcp port", "port")
    with ring(network.near, expression) as source, network.sender() as far:
        for tags in (b"", b"\x81\0\0\x05", b"\x88\xa8\0\x05\x81\0\0\x06"):
            far.send(frame(3001, tags))
            far.send(frame(3000, tags))
        assert [b"\x0b\xb8" in each for each in take(source, 3)] == [True] * 3


def test_what_nobody_takes_is_counted(network):
    sent = 20_000
    with ring(network.near, "udp port 3000", ring_bytes=4 * BLOCK_BYTES) as source, network.sender() as far:
        for _ in range(sent):
            far.send(frame(payload=bytes(1000)))
        source.poll()
        lost = source.dropped
        assert lost > 0
        assert source.full > 0
        wait_for(lambda taken: source.packets + source.dropped >= sent, source)
        assert source.packets + source.dropped == sent
        wait_for(lambda _: not source.take())
        far.send(frame())  # there is room again
        wait_for(lambda taken: taken, source)
    assert source.dropped == lost


def test_one_take_has_an_end(network):
    sent = 20_000
    with ring(network.near, "udp port 3000") as source, network.sender() as far:
        for _ in range(sent):
            far.send(frame(payload=bytes(1000)))
        sizes = []
        while sum(sizes) < sent:
            assert select.select([source], [], [], PATIENCE_S)[0]
            batches = source.take()
            sizes += [len(batch) for batch in batches]
            assert all(len(batch.buffer) <= 9 << 20 for batch in batches)
        assert len(sizes) > 1
        assert source.dropped == 0


def test_an_interface_that_goes_down_and_up(network):
    with ring(network.near, "udp") as source, network.sender() as far:
        far.send(frame())
        take(source, 1)
        network.near_is("down")
        wait_for(lambda _: source.state is State.WAITING, source)
        assert source.note == f"{network.near} is down"
        assert not select.select([source], [], [], 0)[0]  # nothing keeps us busy
        network.near_is("up")
        source.poll()
        assert (source.state, source.note) == (State.RUNNING, "")
        wait_for(lambda _: _sent(far))
        assert frame() in wait_for(lambda taken: taken, source)
        assert source.packets >= 2


def _sent(far):
    """Whether a frame could be sent: the other end sees a moment later that the link is up again."""
    try:
        return far.send(frame())
    except OSError:
        return False


def test_an_interface_that_is_down_from_the_beginning(network):
    network.near_is("down")
    with ring(network.near, "udp") as source:
        assert (source.state, source.note) == (State.WAITING, f"{network.near} is down")
        source.take()
        assert not select.select([source], [], [], 0)[0]
        network.near_is("up")
        source.poll()
        assert source.state is State.RUNNING


def test_an_interface_that_is_deleted_and_made_again(network):
    now_s = [0.0]
    with ring(network.near, "udp", clock=lambda: now_s[0]) as source:
        with network.sender() as far:
            far.send(frame())
            far.send(frame())
            take(source, 2)
            far.send(frame(payload=b"the last word"))
        assert select.select([source], [], [], 10)[0]  # it is there to be taken
        network.unplug()
        source.poll()
        assert (source.state, source.note) == (State.WAITING, f"{network.near} is gone")
        network.plug()
        source.poll()
        assert source.state is State.WAITING  # it is tried each second
        now_s[0] += 1
        source.poll()
        assert (source.state, source.note) == (State.RUNNING, "")
        with network.sender() as far:
            wait_for(lambda _: _sent(far))
            (last, *new) = wait_for(lambda taken: len(taken) >= 2, source)
        assert b"the last word" in last
        assert new == [frame()] * len(new)
        assert source.packets == 3 + len(new)


def test_an_interface_that_gets_another_name_goes_on(network):
    with ring(network.near, "udp") as source, network.sender() as far:
        run("ip", "link", "set", network.near, "down")
        run("ip", "link", "set", network.near, "name", "renamed", "up")
        source.poll()
        assert source.state is State.RUNNING
        wait_for(lambda _: _sent(far))
        assert frame() in wait_for(lambda taken: taken, source)


def test_an_interface_that_is_back_but_not_for_us(network):
    now_s = [0.0]
    opener = DirectOpener()
    with RingSource(network.near, "udp", opener, clock=lambda: now_s[0]) as source:
        network.unplug()
        source.poll()
        opener.packet_socket = lambda *_: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted"))
        now_s[0] += 1
        source.poll()
        assert source.state is State.WAITING
        assert source.note == f"{network.near} is back, but cannot be opened again: [Errno 1] Operation not permitted"


@pytest.mark.parametrize("interface", ["lo", "any"])
def test_on_loopback_each_packet_comes_once(network, interface):
    with ring(interface, "udp") as source, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for count in range(10):
            sender.sendto(b"%d" % count, ("127.0.0.1", 3000))
        assert [each[-1:] for each in take(source, 10)] == [b"%d" % count for count in range(10)]


def test_packets_of_a_tunnel_have_no_link_layer(network):
    if not Path("/dev/net/tun").exists():
        pytest.skip("there is no /dev/net/tun: no tunnel was made")
    import fcntl  # noqa: PLC0415  (there is none on Windows)

    with Path("/dev/net/tun").open("r+b", buffering=0) as tunnel:
        fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH22x", b"tun-ring", 0x1001))  # TUNSETIFF; TUN, NO_PI
        run("ip", "link", "set", "tun-ring", "addrgenmode", "none")
        run("ip", "link", "set", "tun-ring", "up")
        with ring("tun-ring", "udp port 3000") as source:
            tunnel.write(ip_udp(3001))
            tunnel.write(ip_udp(3000))
            assert take(source, 1) == [ip_udp(3000)]
            assert source.link_types == [LinkType.RAW]


def test_nothing_stays_open(network):
    def packet_sockets():
        return len(Path("/proc/thread-self/net/packet").read_text(encoding="ascii").splitlines()) - 1

    source = ring(network.near)
    assert packet_sockets() == 1
    source.close()
    source.close()
    assert packet_sockets() == 0
    assert (source.state, source.fileno(), source.take()) == (State.ENDED, -1, [])
    source.poll()


def test_the_socket_of_scapy_has_the_same_packets(network):
    tags = (b"", b"\x81\0\0\x05", b"\x88\xa8\0\x05\x81\0\0\x06")
    with PortableSource(network.near, "") as source, network.sender() as far:
        for each in tags:
            far.send(frame(tags=each))
        assert take(source, 3) == [frame(tags=each) for each in tags]
        assert source.link_types == [LinkType.ETHERNET]


def test_the_socket_of_scapy_opens_an_interface_again(network):
    now_s = [0.0]
    with PortableSource(network.near, "udp", clock=lambda: now_s[0]) as source:
        network.unplug()
        wait_for(lambda _: source.state is State.WAITING, source)
        network.plug()
        now_s[0] += 1
        source.poll()
        with network.sender() as far:
            wait_for(lambda _: _sent(far))
            assert frame() in wait_for(lambda taken: taken, source)
