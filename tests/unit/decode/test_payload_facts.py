"""What the ledger of a session holds of sizes, and of how polling bodies are made."""

import pytest

from eiosniff.model.payloads import MANY_PACKETS, SMALLEST_LIMIT
from eiosniff.model.trouble import AnomalyKind
from tests.unit.decode.talk_sessions import POLL, POLLING, POST, UPGRADED, WEBSOCKET, Talk, played

LARGE = "x" * 2000
OLD = "a> GET EIO=3&transport=polling\na< 200 open3:S"


@pytest.fixture(params=[False, True], ids=["as it comes", "read ahead"])
def late(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_small_messages_are_not_kept() -> None:
    facts = played(WEBSOCKET, "w> 40\nw< 40\nw> 4" + "x" * (SMALLEST_LIMIT - 1)).session.payloads
    assert facts.from_client is None
    assert facts.from_server is None
    assert facts.post is None


def test_the_largest_message_of_each_side(late: bool) -> None:
    script = f"w> 4{LARGE}\nw> 4{LARGE}{LARGE}\nw> 4{LARGE}\nw< 4{LARGE}"
    facts = played(WEBSOCKET, script, late=late).session.payloads
    assert facts.from_client is not None
    assert facts.from_server is not None
    assert (facts.from_client.bytes, facts.from_client.complete, facts.from_client.first.number) == (4001, True, 5)
    assert (facts.from_server.bytes, facts.from_server.first.number) == (2001, 7)


def test_a_message_that_was_cut_off_is_as_large_as_its_frame_says(late: bool) -> None:
    facts = played(WEBSOCKET, 'w> part 5000 42["x\nw< close 1009\nw< FIN\nw> FIN', late=late).session.payloads
    sent = facts.from_client
    assert sent is not None
    assert (sent.bytes, sent.complete, sent.first.number) == (5000, False, 4)


def test_a_message_that_goes_on_at_the_end_of_the_capture() -> None:
    sent = played(WEBSOCKET, 'w< part 5000 42["x').session.payloads.from_server
    assert sent is not None
    assert (sent.bytes, sent.complete) == (5000, False)


def test_a_hole_in_the_capture_says_nothing_of_sizes() -> None:
    assert played(WEBSOCKET, 'w> part 5000 42["x\nw! client\nw> FIN\nw< FIN').session.payloads.from_client is None


def test_a_length_that_cannot_be_true_is_none() -> None:
    script = f"{WEBSOCKET}\nw> FIN\nw< FIN"
    assert played(script).session.payloads.from_client is None


def test_the_largest_post_and_what_is_in_it(late: bool) -> None:
    script = f"{POLLING}\na> POST {POST} 4{LARGE}~4x~4y\na< 200 ok\na> POST {POST} 4{'x' * 600}\na< 200 ok"
    post = played(script, late=late).session.payloads.post
    assert post is not None
    assert (post.bytes, post.packets, post.longest, post.complete) == (2007, 3, 2001, True)


def test_a_post_that_was_cut_off_is_as_large_as_its_header_says(late: bool) -> None:
    script = f'{POLLING}\nb> POST {POST} cut:5000 42["x\nb< FIN\nb> FIN'
    post = played(script, late=late).session.payloads.post
    assert post is not None
    assert (post.bytes, post.complete) == (5000, False)


def test_a_crowded_body_and_the_acknowledgements_that_it_asks_for(late: bool) -> None:
    events = "~".join(f'42{number}["x"]' for number in range(MANY_PACKETS + 1))
    script = f"{POLLING}\na> POST {POST} 40\na< 200 ok\na> POST {POST} {events}\na< 200 ok\n{POLL}\na< 200 430[]~435[]"
    crowds = played(script, late=late).session.payloads.crowded
    assert crowds is not None
    (crowded,) = crowds
    assert (crowded.packets, crowded.asked, crowded.unanswered, crowded.place.number) == (17, 17, 15, 5)


def test_sixteen_packets_are_no_crowd() -> None:
    events = "~".join(["4x"] * MANY_PACKETS)
    assert played(f"{POLLING}\na> POST {POST} {events}\na< 200 ok").session.payloads.crowded is None


def _anomalies(talk: Talk) -> list[tuple[AnomalyKind, str]]:
    return [(anomaly.kind, anomaly.found) for anomaly in talk.session.anomalies]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        pytest.param('16:42["hello","\U0001f600"]', False, id="UTF-16 code units"),
        pytest.param('15:42["hello","\U0001f600"]', True, id="code points"),
        pytest.param('18:42["hello","\U0001f600"]', True, id="bytes"),
        pytest.param('14:42["hello","x"]1:2', True, id="too short"),
        pytest.param('15:42["hello","x"]1:2', False, id="ASCII"),
    ],
)
def test_lengths_of_revision_3(body: str, wrong: bool) -> None:
    found = _anomalies(played(OLD, f"a> POST EIO=3&transport=polling&sid=S {body}\na< 200 ok"))
    assert [kind for kind, _ in found][:1] == [AnomalyKind.EIO_BAD_LENGTH] * wrong


@pytest.mark.parametrize("body", ["2:40", "1:3", '15:42["hello","x"]', "5:zzz"])
def test_a_body_of_revision_3_in_a_session_of_revision_4(body: str) -> None:
    talk = played(POLLING, f"a> POST {POST} {body}\na< 200 ok")
    assert _anomalies(talk) == [(AnomalyKind.EIO_OLD_FRAMING, body)]
    assert not talk.session.engineio_counts[0], "the server has not understood it either"


def test_a_text_that_begins_like_a_length_is_a_message() -> None:
    talk = played(POLLING, f"a> POST {POST} 4:all\na< 200 ok")
    assert AnomalyKind.EIO_OLD_FRAMING not in [kind for kind, _ in _anomalies(talk)]


@pytest.mark.parametrize(
    ("body", "torn"),
    [
        pytest.param('42["a","one~two"]', True, id="in a string"),
        pytest.param('42["a","one]~two"]', True, id="after a bracket"),
        pytest.param('42["a","one~2two"]', True, id="before a digit that is a type"),
        pytest.param('42["a","1~2~3"]', True, id="twice"),
        pytest.param('42["a","x"]~42["b"]', False, id="between packets"),
        pytest.param('42["a","x"~42["b"]', False, id="a packet that is broken otherwise"),
    ],
)
def test_a_record_separator_in_a_text(body: str, torn: bool) -> None:
    found = [kind for kind, _ in _anomalies(played(POLLING, f"a> POST {POST} {body}\na< 200 ok"))]
    assert (AnomalyKind.EIO_TORN_PACKET in found) == torn


def test_packets_around_a_torn_one_are_read() -> None:
    talk = played(POLLING, f'a> POST {POST} 40~42["a","one~two"]~42["b"]\na< 200 ok')
    assert talk.session.socketio_counts[0] == {"CONNECT": 1, "EVENT": 1}
    assert not talk.session.odd[0]


@pytest.mark.parametrize(
    ("script", "hung_up"),
    [
        pytest.param("a< FIN\na> FIN", True, id="at once"),
        pytest.param(f"{POLL}\na< 200 6\na< FIN\na> FIN", False, id="after a poll"),
        pytest.param("a> FIN\na< FIN", True, id="after the client"),
    ],
)
def test_a_server_that_ends_the_connection_of_the_handshake(script: str, hung_up: bool) -> None:
    assert (played(POLLING, script).session.payloads.hung_up is not None) == hung_up


def test_an_upgrade_is_no_hang_up() -> None:
    assert played(UPGRADED, "a< FIN\na> FIN").session.payloads.hung_up is None


def test_a_post_of_bytes_and_its_answer() -> None:
    talk = Talk()
    talk.play(POLLING)
    talk.connect("b", headers="Content-Type: application/octet-stream\r\n")
    talk.play(f"b> POST {POST} 40\nb< 400")
    posts = talk.close().session.payloads.binary_posts
    assert posts is not None
    (post,) = posts
    assert (post.place.number, post.status) == (3, 400)
