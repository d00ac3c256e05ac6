"""What sizes of TLS records tell."""

import pytest

from eiosniff.decode.tcp.opaque import NO_ENTRY
from eiosniff.decode.tls.keys import TLS_1_2_SUITES, TLS_1_3_SUITES, RecordKeys, keys_1_2, keys_1_3
from eiosniff.model.opaque import OpaqueConnection
from eiosniff.model.provenance import NO_PACKET, Endpoint
from eiosniff.rules.outside import overheads

HEADER = 5  # of a record


def longer_by(version: int, suite: int) -> tuple[int, ...]:
    nobody = Endpoint("", 0)
    connection = OpaqueConnection(NO_ENTRY, nobody, nobody, NO_PACKET)
    connection.version, connection.suite = version, suite
    return overheads(connection)


def meant(keys: RecordKeys) -> tuple[int, ...]:
    return (keys.overhead - HEADER,)


@pytest.mark.parametrize("suite", TLS_1_2_SUITES)
def test_of_tls_1_2(suite: int) -> None:
    keys, _ = keys_1_2(TLS_1_2_SUITES[suite], bytes(48), bytes(32), bytes(32), 0)
    assert longer_by(0x0303, suite) == meant(keys)


@pytest.mark.parametrize("suite", TLS_1_3_SUITES)
def test_of_tls_1_3(suite: int) -> None:
    assert longer_by(0x0304, suite) == meant(keys_1_3(TLS_1_3_SUITES[suite], bytes(32), 0, application=True))


def test_ciphers_that_hide_the_size_tell_nothing() -> None:
    assert longer_by(0x0303, 0xC023) == longer_by(0x0302, 0xC02F) == ()
