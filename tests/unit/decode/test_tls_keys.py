"""Keys of TLS: published vectors, and that each suite is known by its number."""

import pytest

from eiosniff.decode.tls.keys import (
    CCM_8,
    CHACHA,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    Suite,
    expand_label,
    keys_1_3,
    prf,
    suite_name,
)


@pytest.mark.parametrize(
    ("secret", "key", "iv"),
    [
        # RFC 8448, section 3: the handshake secrets of the client and of the server.
        (
            "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
            "dbfaa693d1762c5b666af5d950258d01",
            "5bd3c71b836e0b76bb73265f",
        ),
        (
            "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
            "3fce516009c21727d0f2e4e86ee403bc",
            "5d313eb2671276ee13000b30",
        ),
    ],
)
def test_keys_of_a_published_handshake(secret: str, key: str, iv: str) -> None:
    assert expand_label(bytes.fromhex(secret), b"key", 16, "sha256").hex() == key
    assert expand_label(bytes.fromhex(secret), b"iv", 12, "sha256").hex() == iv


def test_a_published_vector_of_the_prf() -> None:
    made = prf(
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
        "sha256",
    )
    assert made[:32].hex() == "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
    assert len(made) == 100


def test_suites_are_known_by_number() -> None:
    assert TLS_1_3_SUITES[0x1303].aead == CHACHA
    assert TLS_1_2_SUITES[0xC0AE] == Suite(CCM_8, 16, "sha256", 8)
    assert TLS_1_2_SUITES[0xC030].hash == "sha384"
    assert 0xC013 not in TLS_1_2_SUITES
    assert suite_name(0xC013) == "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
    assert suite_name(0xFFFE) == "cipher suite 0xfffe"


def test_only_keys_of_data_have_successors() -> None:
    suite = TLS_1_3_SUITES[0x1301]
    assert keys_1_3(suite, bytes(32), 1, application=False).successor() is None
    after = keys_1_3(suite, bytes(32), 1, application=True).successor()
    assert after is not None
    assert after.since == 1


def test_what_is_shorter_than_a_tag_is_not_opened() -> None:
    keys = keys_1_3(TLS_1_3_SUITES[0x1301], bytes(32), 1, application=True)
    assert keys.open(0, b"\x17\x03\x03\x00\x03", b"abc") is None
