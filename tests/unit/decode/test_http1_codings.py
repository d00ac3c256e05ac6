"""Bodies in Brotli and Zstandard: read with the libraries, and not mistaken for anything without them."""

import gzip
import sys
from collections.abc import Iterator

import pytest

from eiosniff import app
from eiosniff.decode.http1 import codings
from eiosniff.decode.http1.codings import undo_codings
from eiosniff.model.provenance import Side
from eiosniff.model.trouble import AnomalyKind
from tests.cases import RECORDED

brotli = pytest.importorskip("brotli", reason="the package Brotli is not installed")
zstandard = pytest.importorskip("zstandard", reason="the package zstandard is not installed")

TEXT = b'42["news","' + bytes(range(0x20, 0x7F)) * 40 + b'"]'
COMPRESS = {b"br": brotli.compress, b"zstd": zstandard.compress}
MODULES = {b"br": ("brotli", "brotlicffi"), b"zstd": ("zstandard",)}
LIMIT = 1 << 20


@pytest.fixture
def unloaded() -> Iterator[None]:
    """Nobody has asked for a library yet."""
    known = dict(codings._modules)
    codings._modules.clear()
    yield
    codings._modules.clear()
    codings._modules.update(known)


@pytest.mark.parametrize("coding", COMPRESS)
def test_content(coding):
    body = COMPRESS[coding](TEXT)
    assert undo_codings([coding], body, LIMIT) == (TEXT, None, "")
    assert undo_codings([b"gzip", coding, b"chunked"], COMPRESS[coding](gzip.compress(TEXT)), LIMIT)[0] == TEXT
    assert undo_codings([coding], COMPRESS[coding](b""), LIMIT) == (b"", None, "")


def test_zstd_in_several_frames():
    body = zstandard.compress(TEXT) + zstandard.compress(b"!") + zstandard.compress(TEXT)
    assert undo_codings([b"zstd"], body, LIMIT) == (TEXT + b"!" + TEXT, None, "")


@pytest.mark.parametrize("coding", COMPRESS)
def test_what_is_cut_or_damaged_gives_what_can_be_had(coding):
    noise = bytes(at * at % 251 for at in range(20_000))
    body = COMPRESS[coding](noise)
    content, kind, found = undo_codings([coding], body[:-9], LIMIT)
    assert kind is AnomalyKind.HTTP_BAD_CODING
    assert noise.startswith(content)
    assert "ends early" in found
    content, kind, _ = undo_codings([coding], b"\xff" * 40, LIMIT)
    assert (content, kind) == (b"", AnomalyKind.HTTP_BAD_CODING)
    content, kind, _ = undo_codings([coding], b"", LIMIT)
    assert (content, kind) == (b"", AnomalyKind.HTTP_BAD_CODING)


@pytest.mark.parametrize("coding", COMPRESS)
def test_a_bomb(coding):
    bomb = COMPRESS[coding](bytes(50 << 20))
    assert len(bomb) < 10_000
    content, kind, found = undo_codings([coding], bomb, LIMIT)
    assert (content, kind) == (None, AnomalyKind.HTTP_TOO_LARGE)
    assert "limit `inflated`" in found


def test_a_window_that_no_browser_takes():
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    wide = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content, kind, _ = undo_codings([b"zstd"], wide.compress(TEXT) + wide.flush(), LIMIT)
    assert (content, kind) == (b"", AnomalyKind.HTTP_BAD_CODING)


@pytest.mark.parametrize(("coding", "package"), [(b"br", "Brotli"), (b"zstd", "zstandard")])
def test_without_the_library_the_body_is_not_understood(coding, package, unloaded, monkeypatch):
    for name in MODULES[coding]:
        monkeypatch.setitem(sys.modules, name, None)
    content, kind, found = undo_codings([coding], COMPRESS[coding](TEXT), LIMIT)
    assert (content, kind) == (None, AnomalyKind.HTTP_UNREADABLE_CODING)
    assert found == f"{coding.decode()}; to read it: pip install --upgrade {package}"


def test_an_old_brotli_knows_no_limit(unloaded, monkeypatch):
    class Decompressor:
        def process(self, data: bytes) -> bytes:
            raise AssertionError("it must not be asked to")

    monkeypatch.setitem(sys.modules, "brotlicffi", None)
    monkeypatch.setattr(sys.modules["brotli"], "Decompressor", Decompressor)
    assert undo_codings([b"br"], brotli.compress(TEXT), LIMIT)[1] is AnomalyKind.HTTP_UNREADABLE_CODING


@pytest.mark.parametrize("coding", [b"compress", b"dcz", b"aes128gcm"])
def test_codings_that_nobody_can_undo(coding):
    assert undo_codings([coding], b"\x1f\x9d\x90", LIMIT) == (
        None, AnomalyKind.HTTP_UNREADABLE_CODING, coding.decode(),
    )  # fmt: skip


def test_names_that_are_no_coding_leave_the_body():
    assert undo_codings([b"utf-8"], TEXT, LIMIT) == (TEXT, None, "")


@pytest.mark.parametrize("batch_size", [1, 50_000])
def test_a_user_is_told_which_library_is_missing(batch_size, unloaded, monkeypatch):
    """With it the recording has no problem (`tests/recorded/test_truth.py` compares all packets)."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    capture = str(RECORDED / "proxied" / "caddy-zstd-client-hop.pcap")
    report = app.analyze([capture], app.Options(batch_size=batch_size))
    [problem] = report.captures[0].problems
    assert problem.code == "http-unreadable-coding"
    assert problem.text.endswith(
        "HTTP bodies were not read, in the coding zstd; to read it: pip install --upgrade zstandard"
    )
    assert problem.packet > 0
    assert sum(session.foreign[side].count for session in report.sessions for side in Side) == 0
