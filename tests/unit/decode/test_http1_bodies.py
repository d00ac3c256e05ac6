"""Bodies of HTTP/1.x: where they end, chunks, codings, limits."""

import gzip
import zlib

import pytest

from eiosniff.decode.http1.connection import HttpLimits
from eiosniff.model.provenance import Side
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import Anomaly, AnomalyKind
from tests.unit.decode.http1_talk import CHUNKED, ENDS, GET, OK, End, S, anomalies, body_of, client, crlf, read, reasons


# Framing
@pytest.mark.parametrize(
    ("fields", "body", "content", "odd"),
    [
        ("Content-Length: 2\nContent-Length: 2\n", "ok", b"ok", False),
        ("Content-Length: 2, 2\n", "ok", b"ok", False),
        ("Content-Length: 2\nContent-Length: 3\n", "ok", b"ok", True),
        ("Content-Length: x\n", "until close", b"until close", True),
        (f"Content-Length: {'9' * 5000}\n", "until close", b"until close", True),
        ("Content-Length: 9\nTransfer-Encoding: chunked\n", "2\nok\n0\n\n", b"ok", True),
        ("Transfer-Encoding: identity\nContent-Length: 2\n", "ok", b"ok", False),
        ("Transfer-Encoding: chunked, gzip\n", "close", b"close", True),
        ("Transfer-Encoding: x, Chunked\n", "2;a=b\nok\n0\nTrailer: x\n\n", b"ok", False),
        ("transfer-encoding:chunked\n", "2  \nok\n000\n\n", b"ok", False),
        ("", "until close", b"until close", False),
        ("Content-Length: 0\n", "", b"", False),
    ],
)
def test_where_a_response_body_ends(fields, body, content, odd):
    expected = [AnomalyKind.HTTP_BAD_LENGTH] if odd else []
    if "chunked, gzip" in fields:
        expected.append(AnomalyKind.HTTP_BAD_CODING)
    found, kinds = body_of(crlf(f"HTTP/1.1 200 OK\n{fields}\n{body}"))
    assert kinds == expected
    assert found == (content if AnomalyKind.HTTP_BAD_CODING not in kinds else b"")


def test_a_request_with_an_unknown_length_has_no_body():
    reading = read(client("POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n"), GET, *ENDS)
    assert len(reading.requests) == 2
    assert anomalies(reading) == [AnomalyKind.HTTP_BAD_LENGTH]


@pytest.mark.parametrize(
    ("body", "content"),
    [(b"2\nok\n2\nay\n0\n\n", b"okay"), (b"2\r\nok2\r\nay\r\n0\r\n\r\n", b"okay")],
)
def test_chunks_that_depart_and_can_be_read(body, content):
    assert body_of(CHUNKED + body) == (content, [AnomalyKind.HTTP_BAD_CHUNK])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"2\r\nokay\r\n", AnomalyKind.HTTP_BAD_CHUNK),
        (b"2\r\nok\rx\r\n", AnomalyKind.HTTP_BAD_CHUNK),
        (b"2\r\nok\r\n" + b"1" * 5000, AnomalyKind.HTTP_TOO_LARGE),
    ],
)
def test_chunks_that_cannot_be_read(body, kind):
    reading = read(GET, S(CHUNKED + body), GET, OK, *ENDS)
    broken, good = reading.responses
    assert (broken.body, broken.complete, good.body) == (b"ok", False, b"ok")
    assert good.request is reading.requests[1]
    assert anomalies(reading) == [kind]
    assert reasons(reading) == ["chunked framing was lost"]


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "3 more bytes of the body"),
        (CHUNKED + b"5\r\nab", "the last chunk"),
        (CHUNKED + b"2\r\nab\r\n1", "the last chunk"),
    ],
)
def test_an_end_inside_a_body(answer, lacks):
    reading = read(GET, S(answer), *ENDS)
    assert reading.responses[0].body == b"ab"
    assert not reading.responses[0].complete
    assert [(a.kind, a.expected, a.found) for a in reading.of(Anomaly)] == [(AnomalyKind.HTTP_INCOMPLETE, lacks, "FIN")]


@pytest.mark.parametrize(("kind", "complete"), [(EndKind.FIN, True), (EndKind.RST, False)])
def test_only_fin_ends_a_body_without_length(kind, complete):
    reading = read(GET, S(b"HTTP/1.0 200 OK\r\n\r\nab"), End(Side.CLIENT), End(Side.SERVER, kind))
    assert reading.responses[0].complete is complete
    assert anomalies(reading) == ([] if complete else [AnomalyKind.HTTP_INCOMPLETE])


# Codings
def coded(coding: str, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)) + body
    )


RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(b"content") + RAW.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"content", mtime=0)), ("X-GZIP", gzip.compress(b"content", mtime=0)),
        ("deflate", zlib.compress(b"content")), ("deflate", RAW_DEFLATE), ("identity", b"content"),
        ("deflate, gzip", gzip.compress(zlib.compress(b"content"), mtime=0)),
        ("utf-8", b"content"), ("gzip, none", b"content"),
    ],
)  # fmt: skip
def test_codings(coding, body):
    assert body_of(coded(coding, body)) == (b"content", [])


LONG = bytes(range(256)) * 4
GZIP = gzip.compress(LONG, mtime=0)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (GZIP[:-20], 250),
        (GZIP[:-8] + b"\0" * 8, 1024),
        (GZIP[:40] + b"\xff" * 40, 16),
        (b"plain", 0),
        (GZIP + b"x", 1024),
    ],
)
def test_bad_gzip_gives_what_can_be_had(body, start):
    content, kinds = body_of(coded("gzip", body))
    assert kinds == [AnomalyKind.HTTP_BAD_CODING]
    assert len(content) >= start
    assert LONG.startswith(content[:start])


def test_a_cut_gzip_body_is_only_incomplete():
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP[:-20]
    content, kinds = body_of(answer)
    assert kinds == [AnomalyKind.HTTP_INCOMPLETE]
    assert content
    assert LONG.startswith(content)


def test_a_bomb():
    assert body_of(coded("gzip", GZIP), limits=HttpLimits(inflated=1000)) == (b"", [AnomalyKind.HTTP_TOO_LARGE])
    bad = GZIP[:-8] + b"\0" * 8
    assert body_of(coded("gzip", bad), limits=HttpLimits(inflated=1000)) == (b"", [AnomalyKind.HTTP_TOO_LARGE])
    assert body_of(coded("gzip, gzip, gzip, gzip", b"x")) == (b"x", [AnomalyKind.HTTP_BAD_CODING])


def test_a_body_above_the_limit():
    reading = read(
        GET, S(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + b"x" * 50), GET, OK, limits=HttpLimits(body=20)
    )
    big, small = reading.responses
    assert (big.body, big.body_kept, big.body_length, big.complete) == (b"", False, 50, True)
    assert small.body == b"ok"
    assert anomalies(reading) == [AnomalyKind.HTTP_TOO_LARGE]
