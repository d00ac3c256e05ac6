import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.model.decoded import NOT_SOCKETIO, DecodedPacket
from eiosniff.model.engineio import EioPacket, EioType, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.report.decode_lines import TextLines, json_line, style_of
from eiosniff.report.layout import fit
from eiosniff.report.redact import REDACTED, Redactor
from tests.unit.report.builders import START


def packet(
    kind: int = EioType.MESSAGE,
    data: bytes = b"",
    side: Any = Side.CLIENT,
    number: int = 34,
    later_ms: int = 0,
    **changes: Any,
) -> DecodedPacket:
    place = PacketRef(number, START + later_ms * 1_000_000)
    engineio = EioPacket(kind, data, False, side, Transport.WEBSOCKET, place, (number,))
    made = DecodedPacket("a.pcap", 3, 1, "SID", 4, engineio, capture_began_ns=START)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def event(
    data: bytes,
    kind: int = SioType.EVENT,
    side: Side = Side.CLIENT,
    namespace: str = "/",
    number: int = 34,
    attachments: tuple[bytes, ...] = (),
    ack: int | None = None,
    name: str | None = None,
) -> DecodedPacket:
    place = PacketRef(number, START)
    made = packet(side=side, number=number - 1, data=b"...")
    made.socketio = SioPacket(
        kind, namespace, "", ack, data, name, len(attachments), attachments, side, place, (number - 1, number)
    )
    return made


def record(made: DecodedPacket, **options: bool) -> Any:
    return json.loads(json_line(made, Redactor(**options), name_capture=False))


def of_09(text: bytes, kind: int, data: bytes = b"", name: str | None = None) -> DecodedPacket:
    place = PacketRef(34, START)
    made = packet(-1, text, revision=None)
    made.socketio = SioPacket(kind, "/", "", None, data, name, 0, (), Side.CLIENT, place, (34,))
    return made


def test_lines_of_socketio_09_say_so() -> None:
    lines = TextLines(Redactor())
    event_09 = of_09(b'5:::{"name":"login","args":["me","pw"]}', SioType.EVENT, b'["login","me","pw"]', "login")
    shown = [
        lines.line(event_09),
        lines.line(of_09(b"2::", SioType.HEARTBEAT)),
        lines.line(of_09(b"3:::17", SioType.MESSAGE, b"17")),
        lines.line(of_09(b"7:::1+0", SioType.ERROR, b"1+0")),
        lines.line(of_09(b"7:::9+x", SioType.ERROR, b"9+x")),
        lines.line(packet(-1, b"hello", revision=None, trouble="expected type:id:endpoint:data")),
    ]
    assert shown == [
        f'    34     0.000   3 C→S s1   ws   SIO 0.9 EVENT login ["{REDACTED}","{REDACTED}"]',
        "    34     0.000   3 C→S s1   ws   SIO 0.9 HEARTBEAT",
        "    34     0.000   3 C→S s1   ws   SIO 0.9 MESSAGE 17",
        "    34     0.000   3 C→S s1   ws   SIO 0.9 ERROR 1+0 (client not handshaken, reconnect)",
        "    34     0.000   3 C→S s1   ws   SIO 0.9 ERROR 9+x",
        "    34     0.000   3 C→S s1   ws   SIO 0.9 ? !! expected type:id:endpoint:data: hello",
    ]
    assert style_of(of_09(b"8::", SioType.NOOP)) == "dim"
    written = record(of_09(b"3:::17", SioType.MESSAGE, b"17"))
    assert written["engineio"] == {"revision": None, "type": None}
    assert (written["socketio"]["type"], written["socketio"]["data"]) == ("MESSAGE", "17")


def test_a_json_line_is_that_of_the_contract() -> None:
    made = event(
        b'["project:delete",123,{"_placeholder":true,"num":0}]', SioType.BINARY_EVENT, namespace="/admin",
        attachments=(b"\x01\x02\x03\x04",), ack=456, name="project:delete",
    )  # fmt: skip
    assert json_line(made, Redactor(), name_capture=False) == (
        '{"packet": 34, "packets": [33, 34], "time": "2021-01-23T18:08:16.123456789Z", "stream": 3, "from": "client", '
        '"session": "s1", "sid": "SID", "transport": "websocket", "engineio": {"revision": 4, "type": "message"}, '
        '"socketio": {"type": "BINARY_EVENT", "namespace": "/admin", "id": 456, "event": "project:delete", '
        '"data": ["project:delete", 123, {"_placeholder": true, "num": 0}], '
        f'"attachments": [{{"bytes": 4, "sha256": "{hashlib.sha256(bytes((1, 2, 3, 4))).hexdigest()}"}}]}}}}'
    )


def test_what_is_not_socketio_is_null() -> None:
    made = record(packet(EioType.PING, session=None, sid=None))
    assert made["socketio"] is None
    assert made["session"] is None
    assert made["engineio"] == {"revision": 4, "type": "ping"}
    assert record(packet(-1, b"zzz"))["engineio"]["type"] is None
    assert record(event(b"", 9))["socketio"]["type"] is None


@pytest.mark.parametrize(
    ("trouble", "words"), [("expected {", "!! expected {: hi"), (NOT_SOCKETIO, "(not Socket.IO) hi")]
)
def test_only_what_is_wrong_is_marked_so(trouble: str, words: str) -> None:
    assert TextLines(Redactor()).line(packet(data=b"hi", trouble=trouble)).endswith(f"message {words}")


def test_with_several_captures_a_line_names_its_own() -> None:
    assert json.loads(json_line(packet(), Redactor(), name_capture=True))["capture"] == "a.pcap"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", None),
        (b"[1.5,1e3,12345678901234567890]", [1.5, 1000.0, 12345678901234567890]),
        (b'["\xff"]', ["\\xff"]),
        (b"[NaN]", "[NaN]"),
        (b"[1e999]", "[1e999]"),
        (b"[-Infinity]", "[-Infinity]"),
        (b'["cut', '["cut'),
        (b"[" * 100_000, "[" * 100_000),
        (b'["\\ud800"]', ["\ufffd"]),  # jq 1.6 refuses it
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
    ],
)
def test_data_that_json_cannot_say_again_is_text(data: bytes, value: Any) -> None:
    made = event(data, SioType.ACK)
    if data == b'["\xff"]':
        value = '["\\xff"]'  # the escape makes it JSON no more
    assert record(made)["socketio"]["data"] == value


def test_secrets_are_redacted() -> None:
    connect = event(b'{"any":"s3cr3t5"}', SioType.CONNECT)
    assert record(connect)["socketio"]["data"] == {"any": REDACTED}
    assert record(connect, enabled=False)["socketio"]["data"] == {"any": "s3cr3t5"}
    answer = event(b'{"sid":"keep","pid":"s3cr3t5"}', SioType.CONNECT, Side.SERVER)
    assert record(answer)["socketio"]["data"] == {"sid": "keep", "pid": REDACTED}
    login = event(b'["login","s3cr3t5"]', name="login")
    assert record(login)["socketio"]["data"] == ["login", REDACTED]
    for made in (connect, answer, login):
        assert "s3cr3t5" not in TextLines(Redactor()).line(made)


def test_text_lines_are_aligned() -> None:
    lines = TextLines(Redactor())
    odd = packet(data=b"\x00", number=7, later_ms=20_012, session=None)
    odd.engineio.binary = True
    shown = [
        lines.line(packet(EioType.OPEN, b'{"sid":"x"}', Side.SERVER, number=4)),
        lines.line(packet(EioType.PING, b"probe", number=5, later_ms=501)),
        lines.line(event(b'["chat",{"a":[1,2]},"x"]', namespace="/admin", ack=12, name="chat")),
        lines.line(event(b'["img",{"_placeholder":true,"num":0}]', SioType.BINARY_EVENT, attachments=(b"abcd",))),
        lines.line(event(b"", SioType.DISCONNECT)),
        lines.line(event(b'["alone"]')),
        lines.line(event(b'["\xff', SioType.ACK, ack=3)),
        lines.line(event(b"", 9)),
        lines.line(odd),
        lines.line(packet(-1, b"zzz", trouble="no such type")),
        lines.line(packet(trouble="empty")),
    ]
    assert shown == [
        '     4     0.000   3 S→C s1   ws   open {"sid":"x"}',
        "     5     0.501   3 C→S s1   ws   ping probe",
        '    34     0.000   3 C→S s1   ws   EVENT /admin #12 chat [{"a":[1,2]},"x"]',
        "    34     0.000   3 C→S s1   ws   BINARY_EVENT img [<4 bytes>]",
        "    34     0.000   3 C→S s1   ws   DISCONNECT",
        "    34     0.000   3 C→S s1   ws   EVENT alone",
        '    34     0.000   3 C→S s1   ws   ACK #3 ["\\xff',
        "    34     0.000   3 C→S s1   ws   9",
        "     7    20.012   3 C→S -    ws   message <1 byte>",
        "    34     0.000   3 C→S s1   ws   ? !! no such type: zzz",
        "    34     0.000   3 C→S s1   ws   message !! empty",
    ]


def test_attachments_stand_in_their_places() -> None:
    lines = TextLines(Redactor())
    data = b'["img",{"a":{"_placeholder":true,"num":1}},"{\\"_placeholder\\":true,\\"num\\":0}"]'
    made = event(data, SioType.BINARY_EVENT, attachments=(b"ab", b"abc"))
    assert lines.line(made).endswith(r'img [{"a":<3 bytes>},"{\"_placeholder\":true,\"num\":0}"] <2 bytes>')
    assert lines.line(made, ["1.bin", "2.bin"]).endswith("<2 bytes: 1.bin>")
    assert "<3 bytes: 2.bin>" in lines.line(made, ["1.bin", "2.bin"])


def test_attachments_that_were_too_large_are_missed() -> None:
    made = event(b'["img",{"_placeholder":true,"num":0}]', SioType.BINARY_EVENT)
    assert made.socketio is not None
    made.socketio.attachments_expected = 3
    assert TextLines(Redactor()).line(made).endswith('"num":0}] +3 binary, too large to be kept, or not captured')


def test_files_are_named_in_json_when_there_are_any() -> None:
    made = event(b'["img"]', SioType.BINARY_EVENT, attachments=(b"ab", b"abc"))
    named = json.loads(json_line(made, Redactor(), name_capture=False, files=["d/1.bin", "d/2.bin"]))
    assert [list(attachment) for attachment in named["socketio"]["attachments"]] == [["bytes", "sha256", "file"]] * 2
    assert [attachment["file"] for attachment in named["socketio"]["attachments"]] == ["d/1.bin", "d/2.bin"]
    bare = packet(data=b"\x00")
    bare.engineio.binary = True
    named = json.loads(json_line(bare, Redactor(), name_capture=False, files=["d/3.bin"]))
    assert named["engineio"] == {"revision": 4, "type": "message", "file": "d/3.bin"}


def test_json_is_no_deeper_than_programs_read_it() -> None:
    for depth in (1, 120):
        data = b'{"a":' * depth + b'"[["' + b"}" * depth
        assert isinstance(record(event(b"[" + data + b"]", SioType.ACK))["socketio"]["data"], list) == (depth < 120)
        assert isinstance(record(event(data, SioType.CONNECT), enabled=False)["socketio"]["data"], dict)
    many = b"[" + b'["\\"[",{}],' * 500 + b"1]"
    assert len(record(event(many, SioType.ACK))["socketio"]["data"]) == 501


def test_a_line_that_is_cut_never_wraps() -> None:
    assert fit("x" * 20, 20) == "x" * 20
    assert fit("x" * 21, 20) == "x" * 19 + "…"
    assert fit("가" * 10, 20) == "가" * 10
    assert fit("가" * 11, 20) == "가" * 9 + "…"
    assert fit("é" + "가" * 10, 20) == "é" + "가" * 9 + "…"
    assert fit("👋🏽" * 5, 20) == "👋🏽" * 5  # some terminals show the tone beside the hand
    assert fit("👋🏽" * 6, 20).startswith("👋🏽" * 4)
    assert len(fit("👋🏽" * 6, 20)) == 10


def test_styles() -> None:
    assert style_of(packet(trouble="x")) == "red"
    assert style_of(packet(EioType.PONG)) == "dim"
    assert style_of(packet(side=Side.SERVER)) == "cyan"
    assert style_of(packet()) == ""


@given(st.binary(), st.text(st.characters()), st.sampled_from(SioType), st.sampled_from(Side))
def test_whatever_was_sent_the_line_is_one_of_printable_text(data: bytes, text: str, kind: Any, side: Any) -> None:
    made = event(data, kind, side, namespace=text, name=text)
    json.loads(json_line(made, Redactor(), name_capture=True))
    assert json_line(made, Redactor(), name_capture=True).isprintable()
    assert TextLines(Redactor()).line(made).isprintable()
    assert TextLines(Redactor()).line(packet(data=data, trouble=text)).isprintable()
