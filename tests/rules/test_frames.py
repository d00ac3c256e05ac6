"""Rules on binary packets, packets that cannot be read, and WebSocket frames: traps, and which of them comes first."""

import zlib

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import Endpoint
from eiosniff.report.redact import Redactor
from tests.unit.decode.talk_sessions import JOINED, WEBSOCKET, Talk, played, repeated

SESSION = f"{WEBSOCKET}\n{JOINED}"
OPEN_3 = "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40"
HEADER = 'w> 451-["file",{"_placeholder":true,"num":0}]'
EVENT = 'w> 42["hello","word"]'
GREETING = 'w< 42["greeting"]'
BINARY = "w> hex:ffd8ffe000"
CLOSED = "w< close\nw< FIN\nw> FIN"
LEAVES = "w> 41\nw> close\nw> FIN\nw< FIN"
BEAT = "+ 25\nw< 2\nw> 3"
ONE_ID = 'w> WS EIO=4&transport=websocket\nw< 101\nw< open:#\nw> 40\nw< 40{"sid":"#"}'  # of session and socket
NETTY = ONE_ID.replace("#", "0b1e5a52-52f3-4d1b-a7a2-2d6f0e6f3a10")
SOCKETIOXIDE = ONE_ID.replace("#", "AA9AAA0AAzAAAAHs")


def names(*parts: str) -> list[str]:
    return played("\n".join(parts)).names()


def the_finding(name: str, *parts: str) -> Finding:
    finding = played("\n".join(parts)).found(name)
    assert finding is not None
    return finding


def frame(text: str, *, head: int = 0x81, key: str = "11223344") -> str:
    """A line with the bytes of a frame of the client."""
    payload, mask = text.encode("latin-1"), bytes.fromhex(key)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return f"w> raw:{head:02x}{0x80 | len(payload):02x}{key}{masked.hex()}"


def deflated(text: str) -> bytes:
    pack = zlib.compressobj(wbits=-15)
    return (pack.compress(text.encode()) + pack.flush(zlib.Z_SYNC_FLUSH))[:-4]


# ---------------------------------------------------------------- attachments


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([HEADER, "w> 3", BINARY, EVENT], id="a pong between"),
        pytest.param([HEADER, BEAT, "w> hex:00", EVENT], id="a heartbeat between"),
        pytest.param([HEADER, "w! client", EVENT], id="what is missing may be the attachment"),
        pytest.param([HEADER, LEAVES.replace("w> 41\n", "")], id="the client left before it was through"),
        pytest.param([HEADER, CLOSED], id="the server closed before it was through"),
        pytest.param(["w! client", BINARY, EVENT], id="what is missing may be the header"),
        pytest.param(['w< 451-["x",{"_placeholder":true,"num":0}]', "w< hex:00", EVENT], id="of the server"),
    ],
)
def test_binary_data_that_is_where_it_belongs(parts: list[str]) -> None:
    assert names(SESSION, *parts) == []


@pytest.mark.parametrize(("end", "words"), [(CLOSED, "the server closes"), (GREETING, "the server ignores it")])
def test_text_in_the_place_of_binary_data(end: str, words: str) -> None:
    finding = the_finding("binary-incomplete", SESSION, HEADER, EVENT, end)
    assert words in finding.summary
    assert finding.severity is Severity.ERROR
    assert [item.packet for item in finding.evidence][:2] == [6, 7]


def test_the_rest_comes_too_late_is_one_fault() -> None:
    late = [HEADER.replace("451", "452"), BINARY, EVENT, BINARY]
    assert names(SESSION, *late) == ["binary-incomplete + binary-orphan"]


def test_binary_data_that_never_comes() -> None:
    finding = the_finding("binary-incomplete", SESSION, HEADER, BEAT, "w> close\nw> FIN\nw< FIN")
    assert "for 25.0 s" in finding.summary


def test_a_loop_for_want_of_attachments_is_one_diagnosis() -> None:
    once = "\n".join([SESSION, HEADER, EVENT, CLOSED, "+ 1"]).replace("w>", "w#>").replace("w<", "w#<")
    talk = played(repeated(once.replace("open:S", "open:S#"), range(6)))
    assert talk.names() == ["binary-incomplete + connect-loop"]


def test_bytes_without_an_event() -> None:
    assert names(SESSION, EVENT, BINARY, CLOSED) == ["binary-orphan"]
    assert names(WEBSOCKET, BINARY) == []  # an application on Engine.IO alone, as far as one can see


@pytest.mark.parametrize(
    ("count", "end", "expected"), [(10, CLOSED, []), (11, "", []), (11, CLOSED, ["too-many-attachments"])]
)
def test_more_attachments_than_the_server_takes(count: int, end: str, expected: list[str]) -> None:
    header = f'w> 45{count}-["files",{{"_placeholder":true,"num":0}}]'
    assert names(SESSION, header, *[BINARY] * (count if not end else 1), end) == expected


@pytest.mark.parametrize("end", ["w< 41\nw< close\nw< FIN\nw> FIN", "w< close 1000\nw< FIN\nw> FIN"])
def test_a_server_that_takes_many_attachments_and_leaves(end: str) -> None:
    header = 'w> 4511-["files",{"_placeholder":true,"num":0}]'
    assert "too-many-attachments" not in names(SESSION, header, *[BINARY] * 11, end)


def test_many_attachments_that_are_taken_excuse_no_other_mistake() -> None:
    header = 'w> 4511-["files",{"_placeholder":true,"num":0}]'
    assert names(SESSION, header, *[BINARY] * 11, "+ 2", HEADER, EVENT, "+ 2", GREETING) == ["binary-incomplete"]


def test_a_capture_that_ends_at_once_does_not_say_what_the_server_did() -> None:
    assert "the capture ends before" in the_finding("socketio-syntax", SESSION, "w> 42['x']").summary
    assert "the server ignores it" in the_finding("socketio-syntax", SESSION, "w> 42['x']\n+ 0.2").summary


def test_a_clock_that_is_set_back_hides_no_close() -> None:
    assert "the server closes" in the_finding("socketio-syntax", SESSION, "w> 42['x']", "- 5", CLOSED).summary


def test_a_connect_in_the_place_of_binary_data_is_told_as_one() -> None:
    finding = the_finding("binary-incomplete", SESSION, HEADER, 'w> 40/x,{"pass":"sesame"}', CLOSED)
    text = "".join(proof.text for proof in finding.evidence)
    assert '40/x,{"pass"' in text  # by its 4 the report knows it for a CONNECT, and hides what is in it
    assert "sesame" not in Redactor().text(text)


@pytest.mark.parametrize(("seconds", "size", "found"), [(6, 100, True), (6, 20_000, False), (12, 20_000, True)])
def test_a_slow_link_is_no_stall(seconds: int, size: int, found: bool) -> None:
    payload = b'42["x","' + b"y" * size + b'"]'
    first, rest = payload[: size // 2], payload[size // 2 :]
    parts = [f"w< raw:{head:02x}7e{len(part):04x}{part.hex()}" for head, part in ((0x01, first), (0x80, rest))]
    talk = played("\n".join([SESSION, parts[0], f"+ {seconds}", parts[1]]))
    assert (talk.found("ws-fragment-stall") is not None) == found


# ---------------------------------------------------------------- the byte 04


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        (["04ffd8ff", "0489504e47", "0425504446"], ["binary-extra-0x04"]),
        (["04ffd8ff"], ["binary-extra-0x04"]),
        (["0401", "0402", "0403", "0404"], []),
        (["04ffd8ff", "ffd8ff"], []),
    ],
)
def test_only_data_that_makes_sense_behind_the_byte_tells(payloads: list[str], expected: list[str]) -> None:
    attached = [line for payload in payloads for line in (HEADER, f"w> hex:{payload}")]
    assert names(SESSION, *attached) == expected


def test_netty_is_known_without_looking_at_the_data() -> None:
    finding = the_finding("binary-extra-0x04", NETTY, HEADER.replace(">", "<"), "w< hex:040102")
    assert finding.certainty is Certainty.CERTAIN
    assert "The server" in finding.summary
    assert names(NETTY, HEADER.replace(">", "<"), "w< hex:050102") == []
    assert names(SOCKETIOXIDE, HEADER.replace(">", "<"), "w< hex:040102") == []


def test_binary_data_over_polling_of_another_server_with_one_id() -> None:
    opening = ONE_ID.replace("#", "AA9AAA0AAzAAAAHs").split("\n")[2].removeprefix("w< ")
    script = f"""a> GET EIO=4&transport=polling
        a< 200 {opening}
        b> POST EIO=4&transport=polling&sid=AA9AAA0AAzAAAAHs 40
        b< 200 ok
        a> GET EIO=4&transport=polling&sid=AA9AAA0AAzAAAAHs
        a< 200 40{{"sid":"AA9AAA0AAzAAAAHs"}}~451-["x",{{"_placeholder":true,"num":0}}]~bAAEC
        b> POST EIO=4&transport=polling&sid=AA9AAA0AAzAAAAHs 41~1
        b< 200 ok"""
    assert names(script) == []


@pytest.mark.parametrize(
    ("data", "count", "certainty"),
    [
        ("047b2261223a317d", 1, Certainty.POSSIBLE),
        ("047b2261223a317d", 3, Certainty.CERTAIN),
        ("04ffd8ffe000", 1, Certainty.CERTAIN),
    ],
    ids=["JSON", "JSON each time", "a JPEG image"],
)
def test_an_application_may_mark_its_own_data(data: str, count: int, certainty: Certainty) -> None:
    finding = the_finding("binary-extra-0x04", SESSION, *[f"{HEADER}\nw> hex:{data}"] * count)
    assert finding.certainty is certainty


def test_the_byte_belongs_there_in_revision_3() -> None:
    assert names(OPEN_3, HEADER, "w> hex:04ffd8ff", EVENT, "+ 25\nw> 2\nw< 3") == []


# ---------------------------------------------------------------- packets that cannot be read


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("42['hello']", "JSON has double quotes only"),
        ('42["hello",NaN]', "JSON has neither NaN nor Infinity"),
        ('42["hello",]', "JSON has no comma behind the last element"),
        ('42["hello","a long te', "it ends before its JSON does"),
        ('42["hello"', "it ends before its JSON does"),
        ('42/chat["hello"]', "the comma behind the namespace is missing"),
        ('42{"hello":1}', "an array that begins with a string or a number should be there"),
    ],
)
def test_what_is_wrong_is_said(text: str, hint: str) -> None:
    finding = the_finding("socketio-syntax", SESSION, f"w> {text}", CLOSED)
    assert hint in finding.summary
    assert finding.certainty is Certainty.CERTAIN


def test_where_it_is_wrong_is_shown() -> None:
    finding = the_finding("socketio-syntax", SESSION, """w> 42["hello",'x']""", CLOSED)
    assert "at byte 10 (" in finding.summary
    assert """",>>>'x'])""" in finding.summary


@pytest.mark.parametrize(
    "text",
    [
        '40{"token":"hunter2hunter2",}',
        '42["login",{"password":"hunter2hunter2",}]',
        '42["x",hunter2hunter2]',
        "42[\"x\",{'pw':'hunter2hunter2'}]",
    ],
)
def test_secrets_stay_secret(text: str) -> None:
    finding = the_finding("socketio-syntax", SESSION, f"w> {text}", CLOSED)
    said = [finding.summary, *finding.fix, *(item.text for item in finding.evidence)]
    assert not any("hunter2" in text for text in said)


def test_names_that_are_reserved() -> None:
    assert names(SESSION, 'w> 42["disconnect"]', CLOSED) == ["socketio-syntax"]
    taken = the_finding("socketio-syntax", SESSION, 'w> 42["disconnect"]', GREETING)
    assert taken.severity is Severity.WARNING
    assert names(SESSION, 'w> 42["disconnected"]') == []


def test_a_client_has_nothing_to_refuse() -> None:
    assert names(WEBSOCKET, 'w> 44{"message":"x"}', "w> 40", 'w< 40{"sid":"x"}') == []


def test_what_stands_behind_the_connect_of_an_old_server_is_read_by_nobody() -> None:
    assert names("w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40[]", EVENT, "w> 2\nw< 3") == []


def test_a_message_with_a_hole_is_not_judged() -> None:
    assert names(SESSION, "w! client", "w> 42['hello']", CLOSED) == []


# ---------------------------------------------------------------- parsers

MSGPACK_CONNECT = "w> hex:83a47479706500a36e7370a12fa464617461c0"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([MSGPACK_CONNECT, CLOSED], ["parser-mismatch"], id="msgpack at a server that closes"),
        pytest.param([MSGPACK_CONNECT, "+ 3"], ["parser-mismatch"], id="msgpack at a server that is silent"),
        pytest.param([MSGPACK_CONNECT], [], id="the capture ends before an answer could be there"),
        pytest.param([MSGPACK_CONNECT, 'w< 40{"sid":"x"}'], ["parser-mismatch"], id="both tell"),
        pytest.param(
            [MSGPACK_CONNECT, "w< hex:83a47479706500a36e7370a12fa46461746181a3736964a178"],
            [],
            id="msgpack on both sides",
        ),
        pytest.param(["w> 40", CLOSED], ["parser-mismatch"], id="the default at a server that closes"),
        pytest.param(["w> 40\n+ 3", CLOSED], [], id="it closes later, for whatever reason"),
        pytest.param(["w> 40\nw> 3", CLOSED], [], id="something else was said last"),
        pytest.param(["w> 40", 'w< 44{"message":"no"}', CLOSED], ["connect-error-auth"], id="it says why"),
    ],
)
def test_parsers(parts: list[str], expected: list[str]) -> None:
    assert [name for name in names(WEBSOCKET, *parts, "+ 0") if "no-connect" not in name] == expected


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([frame(EVENT[3:])], [], id="as it should be"),
        pytest.param(
            ["w> raw:8110" + b'42["hello","xy"]'.hex(), "w< close 1002", CLOSED], ["ws-unmasked"], id="no mask"
        ),
        pytest.param(
            ["w> raw:8307" + b'42["x"]'.hex(), "w< close 1002"], ["ws-protocol-error"], id="no mask, no opcode"
        ),
        pytest.param([frame(EVENT[3:], head=0x91), "w< close 1002"], ["ws-rsv-set"], id="RSV3"),
        pytest.param([frame(EVENT[3:], head=0x83), "w< close 1002"], ["ws-protocol-error"], id="opcode 3"),
        pytest.param(
            [frame(EVENT[3:], head=0x80), "w< close 1002"], ["ws-protocol-error"], id="a continuation of nothing"
        ),
        pytest.param([frame("", head=0x09), "w< close 1002"], ["ws-protocol-error"], id="half a ping"),
        pytest.param([frame('42["caf\xe9"]'), "w< close 1007"], ["ws-bad-utf8"], id="Latin-1"),
        pytest.param([frame('42["caf\xc3'), "w< close 1007"], ["ws-bad-utf8 + socketio-syntax"], id="half a letter"),
        pytest.param(["w! client", frame(EVENT[3:], head=0x83), "w< close 1002"], [], id="behind a gap"),
    ],
)
def test_the_first_thing_that_is_wrong_with_a_frame_counts(parts: list[str], expected: list[str]) -> None:
    assert names(SESSION, *parts) == expected


def test_a_fault_that_nobody_minds_is_an_information() -> None:
    taken = the_finding("ws-unmasked", SESSION, "w> raw:8110" + b'42["hello","xy"]'.hex(), GREETING)
    assert taken.severity is Severity.INFO
    bad_close = the_finding("ws-protocol-error", SESSION, frame("\x03\xed", head=0x88), "w> FIN\nw< FIN")
    assert bad_close.severity is Severity.INFO


def test_compression_that_was_not_agreed_on_is_read_all_the_same() -> None:
    payload = deflated('42["hello","word"]')
    talk = played("\n".join([SESSION, frame(payload.decode("latin-1"), head=0xC1), "w< close 1002", CLOSED]))
    assert talk.names() == ["ws-rsv-set"]
    assert talk.session.socketio_counts[0] == {"CONNECT": 1, "EVENT": 1}


def test_an_open_packet_that_was_compressed_without_agreement_opens_the_session() -> None:
    payload = deflated('0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
    compressed = f"w< raw:c1{len(payload):02x}{payload.hex()}"
    talk = Talk()
    talk.connect("w", headers="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    talk.play("\n".join(["w> WS EIO=4&transport=websocket", "w< 101", compressed, "w> close 1002", "w> FIN", "w< FIN"]))
    finding = talk.found("ws-rsv-set")
    assert finding is not None
    assert "the 101 says nothing of them" in finding.summary
    assert [name for name in talk.names() if "ws-rsv-set" not in name] == []


def test_keys_of_zero() -> None:
    zero = frame("3", key="00000000")
    assert names(SESSION, zero) == []  # one may be chance
    assert names(SESSION, zero, zero) == ["ws-zero-mask"]


@pytest.mark.parametrize(
    ("agent", "server", "expected"),
    [
        ("arduino-WebSocket-Client", "10.0.0.2", 0),
        ("arduino-WebSocket-Client", "203.0.113.9", 0),  # for documentation: not one of the internet either
        ("arduino-WebSocket-Client", "8.8.8.8", 1),
        ("something else", "10.0.0.2", 1),
    ],
)
def test_a_library_that_masks_with_zero(agent: str, server: str, expected: int) -> None:
    talk = Talk()
    talk.connect("w", agent=agent, server=Endpoint(server, 3000))
    talk.play("\n".join([SESSION, *[frame("3", key="00000000")] * 2])).close()
    found = talk.found("ws-zero-mask")
    assert (found.occurrences if found is not None else 0) == expected


def test_a_client_that_masks_with_zero_is_told_once() -> None:
    zero = frame("3", key="00000000")
    once = "\n".join([SESSION, zero, zero, "w> 41", "w> close", "w> FIN", "w< FIN", "+ 60"])
    talk = played(repeated(once.replace("w>", "w#>").replace("w<", "w#<").replace("open:S", "open:S#"), range(3)))
    found = talk.found("ws-zero-mask")
    assert found is not None
    assert found.occurrences == 1


BEGINS = frame('42["hel', head=0x01)
GOES_ON = frame('lo"]', head=0x80)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([BEGINS, GOES_ON], [], id="at once"),
        pytest.param([BEGINS, "+ 4.9", GOES_ON], [], id="soon"),
        pytest.param([BEGINS, "+ 6", GOES_ON], ["ws-fragment-stall"], id="late"),
        pytest.param([BEGINS, "+ 6"], [], id="the capture ends before"),
        pytest.param([BEGINS, "+ 6", CLOSED], ["ws-fragment-stall"], id="never"),
        pytest.param([BEGINS, CLOSED], [], id="the server closes for another reason"),
        pytest.param([BEGINS, "+ 25\nw< 2\n+ 20", CLOSED], ["ws-fragment-stall + pong-missing"], id="no pong can pass"),
    ],
)
def test_messages_that_are_not_finished(parts: list[str], expected: list[str]) -> None:
    assert names(SESSION, *parts) == expected


def test_a_large_message_on_a_slow_link_is_no_stall() -> None:
    size = 60000
    part = f"{size:04x}" + "00000000" + "78" * size
    lines = [f"w> raw:01fe{part}", *[f"+ 2\nw> raw:00fe{part}"] * 4, f"+ 2\nw> raw:80fe{part}"]
    talk = played("\n".join([SESSION, *lines]))
    assert talk.found("ws-fragment-stall") is None


# ---------------------------------------------------------------- compression


@pytest.mark.parametrize(
    ("count", "text", "expected"),
    [
        (25, '42["x"]', Severity.INFO),
        (6000, '42["x"]', Severity.WARNING),
        (15, '42["x"]', None),
        (25, '42["x","' + "y" * 60 + '"]', None),
    ],
)
def test_compression_that_costs_more_than_it_saves(count: int, text: str, expected: Severity | None) -> None:
    payload = deflated(text)
    talk = Talk()
    extension = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
    talk.connect("w", headers=extension, replies=extension)
    line = f"w< raw:c1{len(payload):02x}{payload.hex()}"
    talk.play("\n".join([SESSION, *[line] * count]))
    finding = talk.found("deflate-overhead")
    assert (finding and finding.severity) == expected
    if finding is not None:
        assert f"{count * len(payload)} bytes on the wire in the place of {count * len(text)}" in finding.summary
        assert "each message is compressed by itself" in finding.summary
