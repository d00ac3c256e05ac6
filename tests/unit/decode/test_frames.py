"""What frames and binary messages come to: the ledger `Session.frames`."""

import zlib

import pytest

from eiosniff.decode.sessions.frames import MOST_ATTACHMENTS
from eiosniff.model.frames import HEADS_KEPT, QUOTED, FrameFigures
from eiosniff.model.provenance import Side
from tests.unit.decode.talk_sessions import JOINED, WEBSOCKET, Talk, played

SESSION = f"{WEBSOCKET}\n{JOINED}"
HEADER = 'w> 451-["file",{"_placeholder":true,"num":0}]'


def figures(*lines: str) -> FrameFigures:
    return played("\n".join([SESSION, *lines])).session.frames


@pytest.mark.interpreted
def test_nothing_is_kept_of_a_session_that_has_nothing_of_it() -> None:
    frames = figures('w> 42["hello"]', 'w< 42["hello"]')
    assert all(not getattr(frames, name) for name in FrameFigures.__slots__)


def test_how_binary_messages_begin() -> None:
    payloads = ["04ffd8ff", "0489504e47", "0102", "04"]
    frames = figures(*[line for payload in payloads for line in (HEADER, f"w> hex:{payload}")])
    assert frames.heads is not None
    of_client, of_server = frames.heads
    assert of_server is None
    assert of_client is not None
    assert (of_client.count, of_client.typed, of_client.magic) == (4, 3, "a JPEG image")
    assert [head.hex() for _, head in of_client.heads] == payloads[:HEADS_KEPT]


@pytest.mark.parametrize(
    ("data", "magic"),
    [
        ("ffd8ffe0", "a JPEG image"),
        ("89504e470d0a", "a PNG image"),
        ("504b0304", "a ZIP file"),
        ("00000018667479706d703432", "audio or video"),
        (b'{"a":1}'.hex(), "JSON"),
        ("84a474797065", "msgpack"),
        ("0001020304", ""),
    ],
)
def test_what_data_is_by_its_first_bytes(data: str, magic: str) -> None:
    frames = figures(HEADER, f"w> hex:04{data}")
    assert frames.heads is not None
    assert frames.heads[0] is not None
    assert frames.heads[0].magic == magic


def test_compressed_messages_add_up() -> None:
    extension = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
    talk = Talk()
    talk.connect("w", headers=extension, replies=extension)
    lines, wire, plain = [], 0, 0
    for side in "<>>":
        text = b'42["x"]' if side == "<" else b'42["' + b"y" * 90 + b'"]'
        pack = zlib.compressobj(wbits=-15)
        payload = (pack.compress(text) + pack.flush(zlib.Z_SYNC_FLUSH))[:-4]
        mask = "" if side == "<" else "00000000"
        lines.append(f"w{side} raw:c1{len(payload) | (0x80 if mask else 0):02x}{mask}{payload.hex()}")
        wire, plain = (wire + len(payload), plain + len(text)) if mask else (wire, plain)
    talk.play("\n".join([SESSION, *lines])).close()
    frames = talk.session.frames
    assert frames.deflated is not None
    of_client, of_server = frames.deflated
    assert of_client is not None
    assert of_server is not None
    assert (of_client.count, of_client.wire, of_client.plain, of_client.grown) == (2, wire, plain, 0)
    assert (of_client.alone, of_server.alone) == (True, False)
    assert (of_server.count, of_server.grown) == (1, 1)
    assert (frames.zero_masks, frames.zero_mask and frames.zero_mask.number) == (2, 7)


def test_a_message_in_fragments_that_takes_long() -> None:
    begin, end = "w< raw:0103343278", "w< raw:8002785d"
    assert figures(begin, end).slow is None
    slow = figures(begin, "+ 1", end).slow
    assert slow is not None
    (message,) = slow
    assert (message.side, message.first.number, message.last.number) == (Side.SERVER, 6, 7)
    assert (message.fragments, message.bytes) == (2, 5)


def test_attachments_that_do_not_come() -> None:
    frames = figures(HEADER.replace("451", "453"), "w> hex:01", 'w> 42["next",1]')
    assert frames.cut_short is not None
    (one,) = frames.cut_short
    assert (one.side, one.place.number, one.announced, one.came, one.shown.number) == (Side.CLIENT, 6, 3, 1, 8)
    assert one.text == b'2["next",1]'
    assert figures(HEADER, "w! client", 'w> 42["next",1]').cut_short is None
    ended = figures(HEADER, "w> FIN").cut_short
    assert ended is not None
    assert [(one.text, one.came) for one in ended] == [(b"", 0)]


def test_headers_with_many_attachments() -> None:
    most = f'w> 45{MOST_ATTACHMENTS}-["x"]'
    assert figures(most).announced is None
    announced = figures(most.replace(str(MOST_ATTACHMENTS), str(MOST_ATTACHMENTS + 1))).announced
    assert announced is not None
    assert [(one.side, one.attachments) for one in announced] == [(Side.CLIENT, MOST_ATTACHMENTS + 1)]


def test_mistakes_are_kept_with_what_stands_around_them() -> None:
    text = '2["' + "a" * 30 + '",x' + "b" * 30
    frames = figures(f"w> 4{text}")
    assert frames.mistakes is not None
    (mistake,) = frames.mistakes
    at = text.index("x")
    assert (mistake.type, mistake.position) == ("2", at)
    assert mistake.before == text[at - QUOTED : at].encode()
    assert mistake.after == text[at : at + QUOTED].encode()


def test_nothing_is_kept_of_credentials() -> None:
    frames = figures('w> 40{"token":"hunter2"')
    assert frames.mistakes is not None
    (mistake,) = frames.mistakes
    assert (mistake.type, mistake.before, mistake.after) == ("0", b"", b"")


def test_events_with_reserved_names() -> None:
    frames = figures('w> 42["connect"]', 'w< 42["hello"]', 'w< 42["disconnecting",1]')
    assert frames.reserved is not None
    assert [(one.side, one.name) for one in frames.reserved] == [
        (Side.CLIENT, "connect"),
        (Side.SERVER, "disconnecting"),
    ]
