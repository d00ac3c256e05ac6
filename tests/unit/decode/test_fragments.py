"""Reassembly of IP datagrams, fragment by fragment."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.packets import fragments
from eiosniff.decode.packets.fragments import Fragment, Reassembler


def piece(start, data, *, more=True, key=b"k"):
    return Fragment(key, b"header-%d:" % start, start, data, more, 6)


def feed(pieces, reassembler=None):
    reassembler = reassembler or Reassembler()
    return [packet for part in pieces if (packet := reassembler.add(part, 0)) is not None]


@given(st.binary(min_size=1, max_size=400), st.randoms(use_true_random=False))
def test_any_order_with_repeats_gives_the_datagram_once(data, shuffle):
    pieces = [piece(at, data[at : at + 8], more=at + 8 < len(data)) for at in range(0, len(data), 8)]
    pieces += shuffle.sample(pieces, len(pieces) // 2)
    shuffle.shuffle(pieces)
    last = max(pieces.index(part) for part in set(pieces))  # the first that leaves no hole
    assert feed(pieces[:last]) == []
    assert feed(pieces[: last + 1]) == [b"header-0:" + data]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=20))
def test_overlapping_the_first_wins(spans):
    expected = bytearray(160)
    known = [False] * 160
    parts = []
    for value, (start, length) in enumerate(spans, 1):
        parts.append(piece(start * 8, bytes([value]) * (length * 8)))
        for at in range(start * 8, (start + length) * 8):
            if not known[at]:
                known[at], expected[at] = True, value
    parts.append(piece(0, bytes([255]) * 160, more=False))  # fills what is left
    for at in range(160):
        if not known[at]:
            expected[at] = 255
    assert feed(parts) == [b"header-0:" + expected]


def test_what_lies_behind_the_last_fragment_is_not_part_of_the_datagram():
    assert feed([piece(16, b"c" * 16), piece(8, b"b" * 3, more=False), piece(0, b"a" * 8)]) == [
        b"header-0:" + b"a" * 8 + b"b" * 3
    ]
    assert feed([piece(8, b"c" * 16), piece(8, b"b" * 3, more=False), piece(0, b"a" * 8)]) == [
        b"header-0:" + b"a" * 8 + b"c" * 3
    ]


def test_of_two_last_fragments_the_nearer_counts():
    for order in (slice(None), slice(None, None, -1)):
        ends = [piece(8, b"b" * 4, more=False), piece(24, b"d" * 4, more=False)][order]
        assert feed([*ends, piece(0, b"a" * 8)]) == [b"header-0:" + b"a" * 8 + b"b" * 4]


def test_a_datagram_may_begin_again_once_it_is_complete():
    whole = [piece(0, b"a" * 8), piece(8, b"b", more=False)]
    assert feed(whole * 2) == [b"header-0:aaaaaaaab"] * 2


def test_the_oldest_of_too_many_is_abandoned():
    reassembler = Reassembler()
    keys = [b"%d" % number for number in range(fragments.MAX_DATAGRAMS + 1)]
    assert feed([piece(0, bytes(8), key=key) for key in keys], reassembler) == []
    assert reassembler.abandoned == 1
    assert feed([piece(8, b"x", more=False, key=keys[1])], reassembler)
    assert not feed([piece(8, b"x", more=False, key=keys[0])], reassembler)


def test_memory_is_bounded():
    reassembler = Reassembler()
    longest = bytes(65528)
    for number in range(1000):
        feed([piece(0, longest, key=b"%d" % number)], reassembler)
    assert 1000 - reassembler.abandoned == pytest.approx(fragments.MAX_BYTES / 65528, abs=2)
    assert reassembler._weight <= fragments.MAX_BYTES
    feed([piece(65528, b"x", more=False, key=b"999")], reassembler)
    for number in range(2000):  # what was complete, and what was abandoned, weighs nothing any more
        reassembler.add(piece(0, bytes(8), key=b"again %d" % number), 10**18 * number)
    assert reassembler._weight == fragments._BOOKKEEPING * 2 + 8


def test_tiny_fragments_weigh_more_than_their_bytes():
    reassembler = Reassembler()
    rest = random.Random(4)
    for number in range(20):
        starts = list(range(8, 65528, 8))
        rest.shuffle(starts)
        feed([piece(start, bytes(8), key=b"%d" % number) for start in starts], reassembler)
    assert reassembler.abandoned > 0
