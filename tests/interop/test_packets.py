"""TCP segments as tshark sees them: in every capture file of this repository, and in made ones of every link type."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType
from tests.interop.sample import sample
from tests.unit.decode import test_tunnels
from tests.unit.decode.crafted_packets import ONE_SEGMENT, fragments_of

CAPTURES = Path(__file__).parents[2] / "captures"
SUFFIXES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz", ".pcap.zst")
FILES = sample(path for path in CAPTURES.rglob("*") if path.name.endswith(SUFFIXES))
FIELDS = (
    "frame.number", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcp.seq_raw",
    "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size_value", "ip.ttl", "ipv6.hlim", "frame.protocols",
)  # fmt: skip

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]


def segments_of_tshark(path):
    """What tshark says of each TCP segment; the headers that an ICMP message quotes are none."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp.flags && !icmp && !icmpv6", "-T", "fields", *fields]
    lines = subprocess.run(
        [*command, "-E", "occurrence=l"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    segments = []
    for line in lines:
        (number, source, source6, port, destination, destination6, to, *numbers, ttl, hops, protocols) = line.split(
            "\t"
        )
        seq, ack, length, flags, window = numbers
        if [layer for layer in protocols.split(":") if layer in ("ip", "ipv6")][-1] == "ipv6":  # the innermost
            source, destination, ttl = source6, destination6, hops
        ends = ((source, int(port)), (destination, int(to)))
        found = (int(seq), int(ack), int(length), int(flags, 16) & 0xFF, int(window), int(ttl))
        segments.append((int(number), *ends, *found))
    return segments


def segments_of_eiosniff(path):
    decoder = PacketDecoder()
    segments = []
    try:
        with open_source(str(path)) as source:
            for batch in source:
                found = decoder.decode(batch)
                columns = (
                    found.number, found.source, found.destination, found.seq, found.ack, found.payload_wire,
                    found.flags, found.window, found.ttl,
                )  # fmt: skip
                for number, one, other, *numbers in zip(*(column.tolist() for column in columns), strict=True):
                    ends = ((decoder.address(end >> 16), end & 0xFFFF) for end in (one, other))
                    segments.append((number, *ends, *numbers))
    except CaptureError:
        pass  # what cannot be opened has no segments for tshark either
    return segments, decoder.counters


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CAPTURES)))
def test_captures_of_this_repository(path):
    assert segments_of_eiosniff(path)[0] == segments_of_tshark(path)


def write(path, link_type, packets, wire=None):
    header = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, link_type)
    lengths = wire or [len(packet) for packet in packets]
    records = (
        struct.pack("<IIII", 1_700_000_000, index, len(packet), length) + packet
        for index, (packet, length) in enumerate(zip(packets, lengths, strict=True))
    )
    path.write_bytes(header + b"".join(records))


# tshark knows neither the tag 0x9200 nor Linux's number of AF_INET6.
KNOWN = [kind for name, kind in ONE_SEGMENT.items() if name not in ("vlan-of-old", "null-af-10")]
LINKS = sorted({link_type for link_type, _ in KNOWN})


@pytest.mark.parametrize("link_type", LINKS, ids=lambda link_type: LinkType(link_type).name)
def test_link_types(tmp_path, link_type):
    packets = [packet for link, packet in KNOWN if link == link_type]
    write(tmp_path / "made.pcap", link_type, packets)
    segments, counters = segments_of_eiosniff(tmp_path / "made.pcap")
    assert counters.tcp == len(packets)
    assert segments == segments_of_tshark(tmp_path / "made.pcap")


# By default tshark neither knows Linux's old port for VXLAN, nor guesses what a pseudowire carries.
TUNNELS = {
    name: packet
    for name, packet in test_tunnels.ONE_SEGMENT.items()
    if name not in ("vxlan-of-linux", "mpls-pseudowire")
}


def test_tunnels(tmp_path):
    write(tmp_path / "made.pcap", LinkType.ETHERNET, list(TUNNELS.values()))
    segments, counters = segments_of_eiosniff(tmp_path / "made.pcap")
    assert counters.tcp == len(TUNNELS)
    assert segments == segments_of_tshark(tmp_path / "made.pcap")


@pytest.mark.parametrize("snap_length", [68, 90, 96, 128])
def test_snap_lengths(tmp_path, snap_length):
    packets = [packet for link, packet in KNOWN if link == LinkType.ETHERNET]
    wire = [len(packet) for packet in packets]
    write(tmp_path / "cut.pcap", LinkType.ETHERNET, [packet[:snap_length] for packet in packets], wire)
    segments, counters = segments_of_eiosniff(tmp_path / "cut.pcap")
    theirs = segments_of_tshark(tmp_path / "cut.pcap")
    numbers = {segment[0] for segment in segments}
    # tshark also shows the beginning of a TCP header that is cut.
    assert segments == [segment for segment in theirs if segment[0] in numbers]
    assert len(segments) + counters.short == len(packets)


@pytest.mark.parametrize("version", [4, 6])
def test_fragments(tmp_path, version):
    packets = [*fragments_of(version, 1), *reversed(fragments_of(version, 2)), *fragments_of(version, 3)[1:]]
    write(tmp_path / "fragments.pcap", LinkType.ETHERNET, packets)
    segments, counters = segments_of_eiosniff(tmp_path / "fragments.pcap")
    assert counters.reassembled == 2
    assert segments == segments_of_tshark(tmp_path / "fragments.pcap")
