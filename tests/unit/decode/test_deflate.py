"""permessage-deflate: negotiation and inflating (RFC 7692)."""

import random
import zlib

import pytest

from eiosniff.decode.websocket.deflate import TAIL, WINDOW, DeflateParameters, InflateFailure, Inflater, negotiated
from eiosniff.model.provenance import Side
from eiosniff.model.trouble import AnomalyKind

HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692, section 7.2.3.1
TEXTS = [b'42["move",{"x":%d,"y":%d}]' % (n, n * n) for n in range(20)]


class Deflater:
    """What a sender does (RFC 7692, section 7.2.1)."""

    def __init__(self, takeover: bool = True, bits: int = 15):
        self.takeover, self.bits = takeover, bits
        self.stream = zlib.compressobj(9, zlib.DEFLATED, -bits)

    def __call__(self, text: bytes) -> bytes:
        if not self.takeover:
            self.stream = zlib.compressobj(9, zlib.DEFLATED, -self.bits)
        data = self.stream.compress(text) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL)
        return data[: -len(TAIL)]


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


# Negotiation


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (None, None),
        (b"", None),
        (b"x-webkit-deflate-frame", None),
        (b"permessage-deflate", DeflateParameters()),
        (b" PerMessage-Deflate ", DeflateParameters()),
        (b"permessage_deflate", DeflateParameters()),
        (b"bbf-usp, permessage-deflate", DeflateParameters()),
        (b"permessage-deflate; server_no_context_takeover", DeflateParameters(server_no_context_takeover=True)),
        (b"permessage-deflate;Client-No-Context-Takeover;", DeflateParameters(client_no_context_takeover=True)),
        (
            b'permessage-deflate; client_max_window_bits = "10"; server_max_window_bits=8',
            DeflateParameters(client_max_window_bits=10, server_max_window_bits=8),
        ),
        (b"permessage-deflate; client_max_window_bits", DeflateParameters()),
        (b"permessage-deflate; server_max_window_bits=99999999999999999999", DeflateParameters()),
        (b"permessage-deflate; server_max_window_bits=\xb2", DeflateParameters()),
        (b";=;,,permessage-deflate;;==", DeflateParameters()),
        (
            b"permessage-deflate; server_max_window_bits=9, permessage-deflate",
            DeflateParameters(server_max_window_bits=9),
        ),
    ],
)
def test_negotiated(response, expected):
    assert negotiated(response, b"permessage-deflate; client_max_window_bits") == expected


@pytest.mark.parametrize("request_extensions", [None, b"", b"x-other"])
def test_negotiated_without_an_offer(request_extensions):
    assert negotiated(b"permessage-deflate", request_extensions) == DeflateParameters(offered=False)


def test_the_offer_alone_negotiates_nothing():
    assert negotiated(None, b"permessage-deflate; client_no_context_takeover") is None


def test_an_inflater_of_each_side():
    parameters = DeflateParameters(client_no_context_takeover=True)
    for side, lost in ((Side.CLIENT, False), (Side.SERVER, True)):
        inflater = parameters.inflater(side)
        inflater.lose()
        assert inflater.lost is lost


# Inflating: the examples of RFC 7692, section 7.2.3


def test_one_deflate_block():
    assert Inflater().inflate(HELLO) == b"Hello"


def test_sharing_the_window():
    inflater = Inflater()
    assert inflater.inflate(HELLO) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f200110000")) == b"Hello"


def test_a_stored_block():
    assert Inflater().inflate(bytes.fromhex("000500faff48656c6c6f00")) == b"Hello"


def test_a_final_block():
    inflater = Inflater()
    assert inflater.inflate(bytes.fromhex("f348cdc9c9070000")) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f200110000")) == b"Hello", "the window goes on behind a final block"


def test_a_final_block_without_the_empty_one_behind_it():
    inflater = Inflater()
    assert inflater.inflate(bytes.fromhex("f348cdc9c90700")) == b"Hello"
    assert inflater.inflate(HELLO) == b"Hello"


def test_two_blocks_in_a_message():
    assert Inflater().inflate(bytes.fromhex("f248050000 00ffff ca c9c90700")) == b"Hello"


@pytest.mark.parametrize("payload", [b"\x00", b"\x02\x00", b""])
def test_an_empty_message(payload):
    inflater = Inflater()
    assert inflater.inflate(payload) == b""
    assert inflater.inflate(HELLO) == b"Hello"


# Inflating: windows and context


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", range(8, 16))
def test_every_window(bits, takeover):
    # zlib's deflate has no raw window of 8 bits; what it writes with 9 is what peers send that agreed on 8.
    deflate, inflater = Deflater(takeover, max(9, bits)), Inflater(takeover)
    texts = [*TEXTS, noise(700), noise(700), noise(40000) * 2, *TEXTS]
    assert [inflater.inflate(deflate(text)) for text in texts] == texts


def test_a_sender_that_does_not_use_its_context():
    deflate, inflater = Deflater(takeover=False), Inflater()
    assert [inflater.inflate(deflate(text)) for text in TEXTS] == TEXTS


def test_a_sender_that_uses_its_context_though_it_said_it_would_not():
    deflate, inflater = Deflater(), Inflater(context_takeover=False)
    assert inflater.inflate(deflate(TEXTS[0])) == TEXTS[0]
    for text in TEXTS[1:3]:
        failure = inflater.inflate(deflate(text))
        assert isinstance(failure, InflateFailure)
        assert (failure.kind, failure.repeated) == (AnomalyKind.WS_BAD_DEFLATE, False)
        assert failure.found == "invalid distance too far back"


def test_lost_context_is_told_once_and_never_gives_a_wrong_text():
    deflate, inflater = Deflater(), Inflater()
    sent = [noise(30), *TEXTS, noise(50, 2), *TEXTS]
    payloads = [deflate(text) for text in sent]
    assert inflater.inflate(payloads[0]) == sent[0]
    inflater.lose()  # the second message
    read = [inflater.inflate(payload) for payload in payloads[2:]]
    failures = [result for result in read if isinstance(result, InflateFailure)]
    assert [failure.repeated for failure in failures] == [False] + [True] * (len(failures) - 1)
    assert all(text == result for text, result in zip(sent[2:], read, strict=True) if isinstance(result, bytes))
    assert read[len(TEXTS) - 1] == sent[len(TEXTS) + 1], "noise refers to nothing"


def test_lost_context_is_known_again_after_a_window():
    deflate, inflater = Deflater(), Inflater()
    deflate(TEXTS[0])
    inflater.lose()
    for seed in range(2):
        assert inflater.lost
        text = noise(WINDOW // 2, seed)
        assert inflater.inflate(deflate(text)) == text
    assert not inflater.lost
    assert inflater.inflate(deflate(TEXTS[1])) == TEXTS[1]
    # A failure from now on is another one.
    failure = inflater.inflate(b"\xff\xff")
    assert isinstance(failure, InflateFailure)
    assert not failure.repeated


def test_nothing_is_lost_without_context():
    deflate, inflater = Deflater(takeover=False), Inflater(context_takeover=False)
    failure = inflater.inflate(b"\x07")
    assert failure == (AnomalyKind.WS_BAD_DEFLATE, "a deflate stream", "invalid block type", False)
    assert inflater.inflate(deflate(TEXTS[0])) == TEXTS[0]


@pytest.mark.parametrize("final", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH])
def test_inflated_size_is_bounded(final):
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = bomb.compress(bytes(5000)) + bomb.flush(final)
    assert Inflater(limit=5000).inflate(payload + b"\x00") == bytes(5000)
    failure = Inflater(limit=4999).inflate(payload + b"\x00")
    assert isinstance(failure, InflateFailure)
    assert (failure.kind, failure.expected) == (AnomalyKind.WS_TOO_LARGE, "at most 4999 bytes after inflating")


def test_final_blocks_are_bounded():
    block = bytes.fromhex("f348cdc9c90700")
    assert Inflater().inflate(block * 60 + b"\x00") == b"Hello" * 60
    failure = Inflater().inflate(block * 1000)
    assert isinstance(failure, InflateFailure)
    assert "final blocks" in failure.found
