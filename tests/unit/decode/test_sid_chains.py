"""Counters in session ids tell processes apart."""

from base64 import urlsafe_b64encode

import pytest

from eiosniff.decode.sessions.sid_chains import SidChains, counter_of
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Endpoint, PacketRef

SECOND = 1_000_000_000


def sid(counter: int, salt: int = 0) -> str:
    return urlsafe_b64encode(bytes([salt] * 11) + counter.to_bytes(4, "big")).decode()


def chains(*counters: int, apart_ns: int = SECOND) -> list[tuple[int, int, int]]:
    server, sids = Server(Endpoint("10.0.0.2", 3000)), SidChains()
    for at, counter in enumerate(counters):
        sids.note(server, sid(counter, at), PacketRef(at + 1, at * apart_ns))
    return [(chain.low, chain.high, chain.count) for chain in server.sid_chains]


@pytest.mark.parametrize(
    ("text", "counter"),
    [
        ("S3hQpPP7d24Z1L-qAAAA", 0),
        ("AbEc6Czc6aQz1QPFAAAF", 5),
        (sid(70_000), 70_000),
        ("lv_VI97HAXpY6yYWAAAC", 2),
        ("R5o4c1JbKfGu73ukzzzz", None),  # random to its end
        ("4d4f7c52-8a0f-4b1e-9f0c-0123456789ab", None),
        ("abc", None),
        ("S3hQpPP7d24Z1L-qAAA=", None),
        ("", None),
    ],
)
def test_counter_is_the_end_of_the_id(text: str, counter: int | None) -> None:
    assert counter_of(text) == counter


def test_one_process_is_one_chain_however_many_ids_the_capture_lacks() -> None:
    assert chains(0, 1, 2, 900, 50_000) == [(0, 50_000, 5)]


def test_two_processes_that_began_together() -> None:
    assert chains(0, 0, 1, 1, 2, 2) == [(0, 2, 3), (0, 2, 3)]


def test_two_processes_of_different_age() -> None:
    assert chains(5000, 12, 5001, 13, 5002) == [(5000, 5002, 3), (12, 13, 2)]


def test_a_restart_begins_anew() -> None:
    assert chains(40, 41, 42, 0, 1) == [(40, 42, 3), (0, 1, 2)]


def test_answers_that_overtake_each_other_are_one_process() -> None:
    assert chains(5, 7, 6, 8, apart_ns=1000) == [(5, 8, 4)]


def test_memory_is_bounded() -> None:
    server, sids = Server(Endpoint("10.0.0.2", 3000)), SidChains()
    for at in range(1000):
        sids.note(server, sid(1000 - at), PacketRef(at, at * 10 * SECOND))
    assert len(server.sid_chains) == 16
    sids.forget(server)
    assert not sids._seen
