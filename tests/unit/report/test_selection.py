from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import EioType
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioType
from eiosniff.report.redact import Redactor
from eiosniff.report.selection import Filters, Selection
from tests.unit.report.test_decode_lines import event, packet


def named(name: str, **changes: Any) -> DecodedPacket:
    return event(b"[]", name=name, **changes)


def of(made: DecodedPacket, session: int, sid: str | None) -> DecodedPacket:
    made.session, made.sid = session, sid
    return made


def taken(packets: Sequence[DecodedPacket], **filters: Any) -> list[int]:
    """Which of the packets are taken, as places in the list."""
    selection = Selection(Filters(**filters))
    return [at for at, each in enumerate(packets) if selection.takes(each)]


def remarks(packets: Sequence[DecodedPacket], **filters: Any) -> list[str]:
    selection = Selection(Filters(**filters))
    for each in packets:
        selection.takes(each)
    return selection.remarks(Redactor())


SESSIONS = [
    of(packet(), 1, "abcdefgh"),
    of(packet(), 2, "abcdexyz"),
    of(packet(), 3, "s1"),
    of(packet(), 12, None),
    of(packet(), 13, "s1000zz"),
]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (["s1"], [0, 2]),  # the id of the report, and a sid that is the same
        (["S2"], [1]),
        (["s12"], [3]),
        (["abcdefgh"], [0]),
        (["abcdef"], [0]),
        (["abcde"], [0, 1]),
        (["abc"], []),  # too short for a beginning
        (["ABCDEFGH"], []),
        (["abc*"], []),  # no pattern
        (["s1000"], []),  # an id, never a beginning
        (["s2", "abcdefgh"], [0, 1]),
        (["s" + "9" * 5000], []),
    ],
)
def test_session(wanted: list[str], places: list[int]) -> None:
    assert taken(SESSIONS, sessions=tuple(wanted)) == places


def test_event() -> None:
    packets = [
        named("user:add"),
        named("user:drop", kind=SioType.BINARY_EVENT),
        named("chat"),
        named("user:*"),
        named("a[b]"),
        event(b"[]", SioType.ACK, ack=1),
        packet(),
        event(b"[5]"),
    ]
    assert taken(packets, events=("user:*",)) == [0, 1, 3]
    assert taken(packets, events=("user:add", "c?at")) == [0, 2]
    assert taken(packets, events=("user:[a-b]*",)) == [0]
    assert taken(packets, events=("a[b]",)) == [4]  # a name with wildcards in it fits itself
    assert taken(packets, events=("USER:ADD",)) == []
    assert taken(packets, events=("[z-a]", "[", "*[!")) == []  # odd patterns are no error


def test_an_event_brings_the_ack_that_answers_it() -> None:
    packets = [
        named("chat", ack=1),  # 0
        named("other", ack=2),
        event(b"[]", SioType.ACK, ack=1),  # of the client: answers nobody
        event(b"[]", SioType.ACK, side=Side.SERVER, ack=1, namespace="/x"),
        of(event(b"[]", SioType.ACK, side=Side.SERVER, ack=1), 2, "other"),
        event(b"[]", SioType.ACK, side=Side.SERVER, ack=2),
        event(b"[]", SioType.BINARY_ACK, side=Side.SERVER, ack=1),  # 6
        event(b"[]", SioType.ACK, side=Side.SERVER, ack=1),  # a second answer
        named("chat", ack=3),  # 8
        named("other", ack=3),  # the id is used again
        event(b"[]", SioType.ACK, side=Side.SERVER, ack=3),
    ]
    assert taken(packets, events=("chat",)) == [0, 6, 8]
    assert taken(packets, events=("chat",), side=Side.SERVER) == [6]
    assert taken(packets, events=("chat",), types=("EVENT",)) == [0, 8]


def test_namespace() -> None:
    packets = [named("a"), named("a", namespace="/admin"), named("a", namespace="/room-1"), packet()]
    assert taken(packets, namespaces=("/",)) == [0]
    assert taken(packets, namespaces=("admin",)) == [1]
    assert taken(packets, namespaces=("/room-*", "/admin")) == [1, 2]


def test_type() -> None:
    packets = [packet(EioType.PING), packet(), named("a"), event(b"", SioType.CONNECT), packet(-1), event(b"", 9)]
    assert taken(packets, types=("ping",)) == [0]
    assert taken(packets, types=("message",)) == [1, 2, 3, 5]
    assert taken(packets, types=("CONNECT", "ping")) == [0, 3]


def test_heartbeat() -> None:
    packets = [
        packet(EioType.PING),
        packet(EioType.PONG, side=Side.SERVER),
        packet(EioType.PING, b"probe"),
        packet(EioType.PONG, b"probe"),
        packet(EioType.NOOP),
        packet(),
    ]
    assert taken(packets, heartbeat=False) == [2, 3, 4, 5]


def test_filters_narrow_each_other_down() -> None:
    packets = [named("a"), named("a", side=Side.SERVER), of(named("a"), 2, "x"), named("a", namespace="/n"), named("b")]
    assert taken(packets, sessions=("s1",), side=Side.CLIENT, events=("a",), namespaces=("/",)) == [0]
    assert taken(packets) == [0, 1, 2, 3, 4]


def test_why_nothing_fits() -> None:
    packets = [of(packet(), 1, "abcdefgh"), of(named("chat"), 2, "other"), of(named("hello"), 2, "other")]
    assert remarks(packets, events=("chta",)) == [
        "no packet matches: of 3 packets, none with --event chta; did you mean chat? there are chat, hello"
    ]
    assert remarks(packets, sessions=("s2",), events=("x", "y")) == [
        "no packet matches: of 3 packets, 2 with --session s2, none with --event x or --event y; there are chat, hello"
    ]
    assert remarks(packets, sessions=("abd",)) == [
        "no packet matches: of 3 packets, none with --session abd (a beginning has at least 4 characters); "
        "there are s1 (abcdefgh), s2 (other)"
    ]
    assert remarks(packets, side=Side.SERVER) == ["no packet matches: of 3 packets, none from the server"]
    assert remarks([packet(EioType.PING)], heartbeat=False) == [
        "no packet matches: of 1 packet, none that is no heartbeat"
    ]
    assert remarks(packets, types=("open",)) == [
        "no packet matches: of 3 packets, none with --type open; there are message, EVENT"
    ]
    assert remarks([packet()], namespaces=("chat",)) == ["no packet matches: of 1 packet, none with --namespace /chat"]
    assert remarks([], events=("a",)) == []


def test_a_socket_id_is_told_from_a_sid() -> None:
    connected = of(event(b'{"sid":"SOCKET-ID"}', SioType.CONNECT, side=Side.SERVER), 7, "abcdefgh")
    assert remarks([connected], sessions=("SOCKET-ID",)) == [
        "no packet matches: of 1 packet, none with --session SOCKET-ID; SOCKET-ID is a socket.id: its session is "
        "s7 (abcdefgh)"
    ]
    assert len(remarks([connected], sessions=("\udcff\udcfe\udcfd\udcfc",))) == 1  # an argument that is no UTF-8


def test_values_in_vain_beside_others() -> None:
    packets = [named("chat"), named("chats")]
    assert remarks(packets, events=("chat", "chatz", "xyz")) == [
        "nothing fits --event chatz; did you mean chats?",
        "nothing fits --event xyz",
    ]
    assert remarks(packets, events=("chat",)) == []


def test_a_beginning_of_several_sids_is_told() -> None:
    assert remarks(SESSIONS, sessions=("abcde",)) == [
        "--session abcde is the beginning of 2 sessions: s1 (abcdefgh), s2 (abcdexyz)"
    ]


def test_what_is_named_is_bounded_and_printable() -> None:
    packets = [named(f"event {number}\x1b[31m") for number in range(20_000)] + [named("x" * 1_000_000)]
    (remark,) = remarks(packets, events=("nothing like it",))
    assert remark.endswith("and at least 994 more")
    assert remark.count(", event ") == 5
    assert remark.isprintable()
    selection = Selection(Filters(events=("*z",)))
    assert [selection.takes(each) for each in packets] == [False] * 20_001
    assert selection.takes(named("x" * 1_000_000 + "z"))  # a long name is compared, only not remembered


def test_acks_that_never_come_are_forgotten() -> None:
    selection = Selection(Filters(events=("a",)))
    for ack in range(10_001):
        selection.takes(named("a", ack=ack))
    answers = [event(b"[]", SioType.ACK, side=Side.SERVER, ack=ack) for ack in (0, 1, 10_000)]
    assert [selection.takes(answer) for answer in answers] == [False, True, True]


@given(st.text(), st.text(min_size=1))
def test_any_name_and_any_value(name: str, wanted: str) -> None:
    packets = [of(named(name, namespace=name), 1, name)]
    assert taken(packets, events=(name,) if name else ("*",)) == [0]
    for filters in ({"sessions": (wanted,)}, {"events": (wanted,)}, {"namespaces": (wanted,)}):
        taken(packets, **filters)
        remarks(packets, **filters)
