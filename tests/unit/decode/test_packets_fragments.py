"""Fragments of IP: what becomes of them, whole, in disorder, and lost."""

import random

import pytest
from scapy.layers.inet import UDP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, fragment6
from scapy.packet import Raw

from eiosniff.model.batch import LinkType
from tests.unit.decode.crafted_packets import (
    LONG,
    PAYLOAD,
    SECOND,
    V4,
    V6,
    changed,
    decode,
    ether,
    fragments_of,
    ipv4,
    ipv6,
    tcp,
)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", ["in order", "reversed", "shuffled", "each twice"])
def test_fragments_become_one_segment(version, order):
    pieces = fragments_of(version)
    assert len(pieces) > 4
    if order == "reversed":
        pieces.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(pieces)
    elif order == "each twice":
        pieces = [piece for piece in pieces for _ in range(2)][:-1]
    plain = V4 if version == 4 else V6
    rows, counters = decode([plain, *pieces, plain])
    completed = len(pieces) + 1
    assert [row["number"] for row in rows] == [1, completed, completed + 1]
    assert [row["payload"] for row in rows] == [PAYLOAD, LONG, PAYLOAD]
    assert rows[1]["ts_ns"] == completed - 1
    for name in ("source", "destination", "seq", "ack", "flags", "window", "ttl"):
        assert rows[1][name] == rows[0][name]
    assert rows[1]["payload_wire"] == len(LONG)
    assert (counters.fragments, counters.reassembled, counters.tcp) == (len(pieces), 1, 2)


def test_datagrams_in_each_other():
    pieces = [
        fragments_of(4, 1),
        fragments_of(4, 2, LONG[::-1]),
        fragments_of(6, 1, LONG[1:]),
        fragments_of(6, 2, LONG[2:]),
    ]
    woven = [piece for group in zip(*pieces, strict=False) for piece in group]
    left = [piece for group in pieces for piece in group[min(map(len, pieces)) :]]
    rows, counters = decode(woven + left)
    assert sorted(row["payload"] for row in rows) == sorted([LONG, LONG[::-1], LONG[1:], LONG[2:]])
    assert counters.reassembled == 4


def test_fragments_behind_other_extension_headers():
    datagram = bytes(IPv6ExtHdrDestOpt(nh=6) / tcp(LONG[:992]))
    pieces = [
        bytes(
            ipv6(
                IPv6ExtHdrHopByHop(),
                IPv6ExtHdrFragment(nh=60, id=5, offset=at // 8, m=int(at + 400 < len(datagram))),
                Raw(datagram[at : at + 400]),
            )
        )
        for at in range(0, len(datagram), 400)
    ]
    rows, counters = decode(pieces, LinkType.RAW)
    assert [row["payload"] for row in rows] == [LONG[:992]]
    assert counters.reassembled == 1


def test_fragments_keep_ipv4_options():
    whole = ipv4(tcp(LONG), options=[IPOption_Router_Alert()])
    rows, _ = decode([bytes(part) for part in fragment(whole, fragsize=800)], LinkType.IPV4)
    assert [row["payload"] for row in rows] == [LONG]


def test_a_lost_fragment_loses_its_datagram_only():
    pieces = fragments_of(4, 1)
    rows, counters = decode([*pieces[:2], *pieces[3:], *fragments_of(4, 2)])
    assert [row["payload"] for row in rows] == [LONG]
    assert (counters.reassembled, counters.abandoned) == (1, 0)


def test_a_fragment_cut_by_the_snap_length_is_short():
    pieces = fragments_of(4)
    wire = [len(piece) for piece in pieces]
    pieces[1] = pieces[1][:-1]
    rows, counters = decode(pieces, wire=wire)
    assert (rows, counters.short, counters.fragments) == ([], 1, len(pieces) - 1)


def test_fragments_are_given_up_after_30_seconds_of_capture():
    first, *others = fragments_of(4)
    times = [0, *[30 * SECOND] * len(others)]
    rows, counters = decode([first, *others], ts_ns=times)
    assert (len(rows), counters.abandoned) == (1, 0)
    times[-1] += 1
    rows, counters = decode([first, *others], ts_ns=times)
    assert (len(rows), counters.abandoned) == (0, 1)


def test_fragments_of_other_protocols_are_not_kept():
    four = [ether(part) for part in fragment(ipv4(UDP() / Raw(LONG)), fragsize=600)]
    six = [ether(part) for part in fragment6(ipv6(IPv6ExtHdrFragment(), UDP() / Raw(LONG)), 660)]
    rows, counters = decode(four + six)
    assert (rows, counters.fragments, counters.other_ip) == ([], 0, {17: len(four + six)})


def test_a_reassembled_datagram_may_be_nonsense():
    pieces = fragments_of(4)
    pieces[0] = changed(pieces[0], 46, b"\x00")  # its TCP header says that it is no words long
    rows, counters = decode([V4, *pieces])
    assert len(rows) == 1
    assert (counters.fragments, counters.reassembled, counters.abandoned) == (len(pieces), 0, 0)
