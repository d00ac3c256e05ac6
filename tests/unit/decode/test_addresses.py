"""Numbers for IP addresses."""

import numpy as np
import pytest

from eiosniff.decode.packets import addresses
from eiosniff.decode.packets.addresses import AddressTable

pytestmark = pytest.mark.interpreted


def octets(*numbers: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.frombuffer(b"".join((0x2001_0DB8 << 96 | number).to_bytes(16) for number in numbers), "S16")


def test_an_address_has_the_same_number_in_any_order() -> None:
    one, other = AddressTable(), AddressTable()
    assert one.intern(octets(1, 2, 1, 3)).tolist()[0] == other.intern(octets(3, 1)).tolist()[1]
    assert [one.text(id) for id in one.intern(octets(3, 1)).tolist()] == ["2001:db8::3", "2001:db8::1"]


def test_numbers_fit_beside_a_port() -> None:
    ids = AddressTable().intern(octets(*range(1000)))
    assert len(set(ids.tolist())) == 1000
    assert ids.min() >= 1 << 32
    assert ids.max() < 1 << 46


def test_two_that_would_have_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "blake2b", lambda *_, **__: type("Same", (), {"digest": lambda _: b"\0\0"})())
    table = AddressTable()
    ids = table.intern(octets(1, 2, 3)).tolist()
    assert len(set(ids)) == 3
    assert max(ids) < 1 << 47
    assert table.intern(octets(3, 2, 1)).tolist() == [ids[2], ids[1], ids[0]]
    table.keep(ids[:1])
    assert table.intern(octets(2)).tolist()[0] not in ids


def test_what_is_not_in_use_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "CROWDED_AT_LEAST", 10)
    table = AddressTable()
    ids = table.intern(octets(*range(11))).tolist()
    assert table.is_crowded
    table.keep([ids[3], 5, ids[4]])
    assert len(table) == 2
    assert not table.is_crowded
    assert table.text(ids[3]) == "2001:db8::3"
    assert table.intern(octets(7)).tolist() == [ids[7]]
