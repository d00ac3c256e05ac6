"""Builds pcap records and pcapng blocks, sound ones and others, for the tests of `eiosniff.capture`."""

import struct

USEC, NSEC, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


def pcap_header(order="<", magic=USEC, *, link_type=1, snap_length=262_144, version=(2, 4)):
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap_length, link_type)


def pcap_record(data, order="<", *, seconds=0, fraction=0, wire=None, claimed=None, extra=b""):
    captured = len(data) if claimed is None else claimed
    return struct.pack(order + "IIII", seconds, fraction, captured, len(data) if wire is None else wire) + extra + data


def pcap(count, order="<"):
    """A file of `count` packets, each of another length and instant."""
    records = (pcap_record(bytes([i % 256]) * (i % 97), order, seconds=1000 + i, fraction=i) for i in range(count))
    return pcap_header(order) + b"".join(records)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order="<", *, magic=0x1A2B3C4D, major=1):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", magic, major, 0, -1), order)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order="<", *, link_type=1, snap_length=0, options=b""):
    return block(1, struct.pack(order + "HHI", link_type, 0, snap_length) + options, order)


def clock(resolution=None, offset_s=None, order="<"):
    """Options `if_tsresol` and `if_tsoffset`."""
    return (b"" if resolution is None else option(9, bytes([resolution]), order)) + (
        b"" if offset_s is None else option(14, struct.pack(order + "q", offset_s), order)
    )


def enhanced(data, order="<", *, timestamp=0, number=0, wire=None, claimed=None):
    captured = len(data) if claimed is None else claimed
    lengths = (captured, len(data) if wire is None else wire)
    return block(
        6, struct.pack(order + "IIIII", number, timestamp >> 32, timestamp & 0xFFFFFFFF, *lengths) + data, order
    )


def simple(data, order="<", *, wire=None):
    return block(3, struct.pack(order + "I", len(data) if wire is None else wire) + data, order)


def obsolete(data, order="<", *, timestamp=0, number=0, drops=7):
    stamp = (timestamp >> 32, timestamp & 0xFFFFFFFF)
    return block(2, struct.pack(order + "HHIIII", number, drops, *stamp, len(data), len(data)) + data, order)


def pcapng(count, order="<"):
    """A file of `count` packets on two interfaces."""
    packets = (
        enhanced(bytes([i % 256]) * (i % 97), order, timestamp=1_000_000 * i + i, number=i % 2) for i in range(count)
    )
    return (
        section(order)
        + interface(order)
        + interface(order, link_type=101, options=clock(9, order=order))
        + b"".join(packets)
    )
