"""What the ledgers keep of upgrades, of requests that overlap or are cut off, of answers, cookies, control frames."""

import pytest

from eiosniff.model.attempt import Outcome
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.tcp import EndKind, StreamEnd
from tests.unit.decode.talk_sessions import Talk, played

POLLING = "a> GET EIO=4&transport=polling\na< 200 open:S"
POLL = "a> GET EIO=4&transport=polling&sid=S"
UPGRADE = "w> WS EIO=4&transport=websocket&sid=S"


@pytest.fixture(params=[False, True], ids=["packet by packet", "in one batch"])
def late(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def session(*scripts: str, late: bool = False) -> Session:
    return played(*scripts, late=late).session


# ---------------------------------------------------------------- upgrades


def test_how_far_an_upgrade_got(late: bool) -> None:
    ledger = session(
        POLLING, POLL, UPGRADE, "w< 101\nw> 2probe\nw< 3probe", "a< 200 6", POLL, "a< 200 6\nw> 5\nw> 42[1]", late=late
    )
    (attempted,) = ledger.upgrades
    assert ledger.upgrade_count == 1
    assert attempted.answered is not None
    assert attempted.answered.status == 101
    assert not attempted.refused
    numbers = [
        place and place.number
        for place in (attempted.probe, attempted.probe_answered, attempted.confirmed, attempted.poll)
    ]
    assert numbers == [6, 7, 11, 9]
    assert (attempted.first_text, attempted.poll_answered and attempted.poll_answered.number) == (b"2probe", 10)
    assert attempted.polls_meanwhile == 1
    assert attempted.accepted is None


@pytest.mark.parametrize("answer", ["200 6", "400 Bad Request"])
def test_the_poll_that_an_upgrade_waits_for(answer: str, late: bool) -> None:
    probed = "w< 101\nw> 2probe\nw< 3probe"
    (attempted,) = session(POLLING, POLL, UPGRADE, probed, f"+ 5\na< {answer}\nw> 5\nw< 6", late=late).upgrades
    places = (attempted.poll, attempted.poll_answered, attempted.confirmed, attempted.accepted)
    assert [place and place.number for place in places] == [3, 8, 9, 10]


def test_polls_after_the_confirmation_are_not_those_that_it_waited_for(late: bool) -> None:
    (attempted,) = session(POLLING, UPGRADE, "w< 101\nw> 2probe\nw< 3probe\nw> 5", POLL, "a< 200 6", late=late).upgrades
    assert (attempted.poll, attempted.poll_answered, attempted.polls_meanwhile) == (None, None, 0)


def test_an_upgrade_whose_connection_ends_before_the_answer(late: bool) -> None:
    (attempted,) = session(POLLING, UPGRADE, "+ 1\nw< FIN\nw> FIN", late=late).upgrades
    assert attempted.answered is None
    assert (attempted.ended_by, attempted.ended_how) == (SERVER, EndKind.FIN)


@pytest.mark.parametrize("end", ["w< close 1000\nw< FIN\nw> FIN", "w< FIN\nw> FIN", "w< RST"])
def test_a_server_that_takes_no_confirmation_without_a_probe(end: str, late: bool) -> None:
    ledger = session(POLLING, UPGRADE, f"w< 101\nw> 5\n{end}", POLL, "a< 200 6", late=late)
    assert (ledger.upgraded, ledger.closing, ledger.on_websocket) == (None, None, False)


@pytest.mark.parametrize("said", ["w< 6", "w< 3probe"])
def test_a_server_that_takes_it_ends_the_session_with_its_websocket(said: str, late: bool) -> None:
    ledger = session(POLLING, UPGRADE, f"w< 101\nw> 2probe\nw> 5\n{said}\nw< close\nw< FIN\nw> FIN", late=late)
    assert ledger.on_websocket
    assert ledger.closing is not None


def test_upgrade_that_is_not_confirmed_says_who_ended_it(late: bool) -> None:
    (attempted,) = session(POLLING, UPGRADE, "w< 101\nw> 2probe\n+ 10\nw< close 1000\nw< FIN", late=late).upgrades
    assert attempted.probe_answered is None
    assert (attempted.ended_by, attempted.ended_how, attempted.code) == (SERVER, None, 1000)


def test_upgrade_without_probe(late: bool) -> None:
    (attempted,) = session(POLLING, UPGRADE, "w< 101\nw> 5\nw< RST", late=late).upgrades
    assert (attempted.first_text, attempted.probe) == (b"5", None)
    assert attempted.confirmed is not None
    assert (attempted.ended_by, attempted.ended_how) == (SERVER, EndKind.RST)


def test_refused_upgrade(late: bool) -> None:
    ledger = session(POLLING, UPGRADE, 'w< 400 {"code":3,"message":"Bad request"}', late=late)
    (attempted,) = ledger.upgrades
    assert attempted.refused
    assert attempted.answered is not None
    assert (attempted.answered.status, attempted.answered.content_type) == (400, "application/json")
    assert attempted.error is not None
    assert (attempted.error.code, attempted.error.style) == (3, "node")
    (refusal,) = ledger.refusals
    assert refusal.asked.upgrade
    assert refusal.asked.transports == ("websocket",)


def test_refused_upgrade_whose_client_leaves_before_the_end_of_the_answer(late: bool) -> None:
    """It was recorded with uvicorn: the head of the 500 came, the client left, and the body came in vain."""
    talk = Talk(late=late).play(f"{POLLING}\n{UPGRADE}\nw> FIN\nw< 500 cut:100 Internal")
    reset = StreamEnd(SERVER, EndKind.RST, PacketRef(talk.number, talk.now))
    talk.wires["w"].conversation.reset(reset)  # what was in flight may still be read
    (attempted,) = talk.play("a> GET EIO=4&transport=polling&sid=S").close().session.upgrades
    assert attempted.refused
    assert attempted.answered is not None
    assert attempted.answered.status == 500


def test_upgrade_whose_header_was_stripped_is_one_by_its_query(late: bool) -> None:
    ledger = session(POLLING, POLL, "b> GET EIO=4&transport=websocket&sid=S\nb< 400 x", late=late)
    (attempted,) = ledger.upgrades
    assert not attempted.request.upgrade
    assert attempted.refused
    assert ledger.refusals.first[0].overlaps is None  # the poll that waits is no other try


def test_upgrade_that_is_answered_as_a_poll(late: bool) -> None:
    (attempted,) = session(POLLING, UPGRADE, 'w< 200 42["lost"]', late=late).upgrades
    assert attempted.answered is not None
    assert (attempted.answered.status, attempted.answered.body) == (200, b'42["lost"]')
    assert not attempted.refused


def test_http_inside_the_websocket_of_an_upgrade(late: bool) -> None:
    ledger = session(POLLING, UPGRADE, "w< 101\nw< HTTP 400 Session ID unknown\nw< FIN", late=late)
    (attempted,) = ledger.upgrades
    assert attempted.refused
    assert attempted.answered is not None
    assert attempted.inside is not None
    assert (attempted.answered.status, attempted.inside.status) == (101, 400)
    assert attempted.error is not None
    assert attempted.error.message == "Session ID unknown"
    assert ledger.refusals.first[0].inside_websocket


def test_second_101_inside_the_websocket(late: bool) -> None:
    talk = played("w> WS EIO=4&transport=websocket\nw< 101\nw< HTTP 101\nw< open:S", late=late)
    attempt = talk.session.attempt
    assert attempt is not None
    assert attempt.inside is not None
    assert attempt.inside.status == 101
    (attempted,) = session(POLLING, UPGRADE, "w< 101\nw< HTTP 101\nw> 2probe", late=late).upgrades
    assert attempted.inside is not None
    assert attempted.inside.status == 101


def test_http_behind_the_first_frames(late: bool) -> None:
    script = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw< 2\nw< HTTP 101\nw< 2"
    ledger = session(script, late=late)
    assert ledger.attempt is not None
    assert ledger.attempt.outcome is Outcome.OPENED
    assert ledger.attempt.inside is not None
    assert (ledger.attempt.inside.status, ledger.attempt.inside.place.number) == (101, 5)
    assert ledger.client.http_inside.first == (ledger.attempt,)
    assert not ledger.anomalies
    assert ledger.heartbeats.pings == 2  # the other handler speaks on the same connection


def test_tries_are_bounded() -> None:
    tries = "\n".join(f"w{at}> WS EIO=4&transport=websocket&sid=S" for at in range(50))
    ledger = session(POLLING, tries)
    assert (len(ledger.upgrades), ledger.upgrade_count) == (8, 50)
    assert ledger.upgrades[-1].request.channel == 50


def test_request_on_a_connection_whose_last_answer_has_come(late: bool) -> None:
    talk = Talk(late=late)
    talk.connect("a", replies="Connection: close\r\n")
    talk.play(f"{POLLING}\na> WS EIO=4&transport=websocket&sid=S\n").close()
    (attempted,) = talk.session.upgrades
    assert attempted.after_last is not None
    assert attempted.after_last.number == 2
    ended = played(f"{POLLING}\na< FIN\na> WS EIO=4&transport=websocket&sid=S\n", late=late).session.upgrades
    assert ended[0].after_last is not None


# ---------------------------------------------------------------- requests


def test_requests_that_overlap(late: bool) -> None:
    ledger = session(POLLING, POLL, f"b{POLL[1:]}\nb< 400 x\na< 200 1", late=late)
    (refusal,) = ledger.refusals
    assert refusal.overlaps is not None
    assert refusal.overlaps.number == 3


def test_a_post_beside_a_poll_does_not_overlap(late: bool) -> None:
    ledger = session(POLLING, POLL, "b> POST EIO=4&transport=polling&sid=S 40\nb< 400 x", late=late)
    assert ledger.refusals.first[0].overlaps is None


def test_a_poll_after_one_that_its_client_gave_up_does_not_overlap(late: bool) -> None:
    ledger = session(POLLING, POLL, f"a> FIN\nb{POLL[1:]}\nb< 400 x", late=late)
    assert ledger.refusals.first[0].overlaps is None


def test_a_post_whose_body_does_not_come_overlaps_the_next_one(late: bool) -> None:
    post = "POST EIO=4&transport=polling&sid=S"
    for first, then in (("b< 500 x", "s> FIN"), ("s> FIN", "b< 500 x")):  # its record comes with its end
        talk = Talk(late=late)
        talk.connect("s", headers="Content-Length: 20\r\n")
        talk.play(f"{POLLING}\ns> {post}\nb> {post} 3\n{first}\n{then}").close()
        (refusal,) = talk.session.refusals
        assert refusal.overlaps is not None
        assert refusal.overlaps.number == 3


def test_polls_that_were_cut(late: bool) -> None:
    ledger = session(POLLING, POLL, f"+ 10\na> FIN\na< FIN\nb{POLL[1:]}\n+ 3\nb< RST", late=late)
    cuts = [(cut.request.number, cut.by, cut.how, cut.waited_ns // 1_000_000_000) for cut in ledger.polls_cut]
    assert cuts == [(3, CLIENT, EndKind.FIN, 10), (6, SERVER, EndKind.RST, 3)]


def test_answered_polls_are_not_cut(late: bool) -> None:
    ledger = session(POLLING, POLL, "a< 200 6\na> FIN\na< FIN", late=late)
    assert not ledger.polls_cut
    assert ledger.polls == 2
    assert ledger.body_bytes == [0, len("6") + ledger.body_bytes[SERVER] - 1]
    assert ledger.head_bytes[CLIENT] > 80


def test_cookies_that_come_back_or_not(late: bool) -> None:
    talk = Talk(late=late)
    talk.connect("a", replies="Set-Cookie: lb=one; Path=/\r\nSet-Cookie: io=two\r\n")
    talk.connect("b", headers="Cookie: x=1; lb=one\r\n")
    talk.play(f"{POLLING}\n{POLL}\na< 200 6\nb{POLL[1:]}").close()
    ledger = talk.session
    assert ledger.cookies_set == ("lb", "io")
    assert (ledger.cookies_returned, ledger.cookies_missing) == (1, 1)


def test_preflight_with_a_sid_that_is_refused(late: bool) -> None:
    ledger = session(POLLING, 'b> OPTIONS EIO=4&transport=polling&sid=S\nb< 400 {"code":1,"message":"x"}', late=late)
    (refusal,) = ledger.preflights
    assert (refusal.asked.method, refusal.status) == ("OPTIONS", 400)
    assert not ledger.refusals


# ---------------------------------------------------------------- handshakes


def test_facts_of_an_answer(late: bool) -> None:
    talk = Talk(late=late)
    replies = "Server: nginx/1.22\r\nVia: 1.1 proxy\r\nLocation: https://x/\r\nSet-Cookie: lb=one; Path=/\r\n"
    talk.connect("a", replies=replies, headers="Cookie: k=v\r\nConnection: close\r\n")
    talk.play("a> GET EIO=4&transport=polling\na< 301 moved").close()
    (client,) = talk.sessions.clients.values()
    (group,) = client.attempts.values()
    attempt = group.first[0]
    assert attempt.outcome is Outcome.REFUSED
    facts = attempt.answered
    assert facts is not None
    assert (facts.status, facts.version, facts.server, facts.via) == (301, "1.1", "nginx/1.22", "1.1 proxy")
    assert (facts.location, facts.cookies, facts.last) == ("https://x/", (("lb", "lb=one; Path=/"),), False)
    assert (facts.body, facts.connection) == (b"moved", None)
    request = attempt.request
    assert (request.version, request.connection, request.cookies) == ("1.1", "close", ("k",))


def test_frames_before_the_101_are_an_anomaly_of_the_attempt(late: bool) -> None:
    talk = Talk(late=late).play("w> WS EIO=4&transport=websocket")
    wire = talk.wires["w"]
    wire.upgraded = True
    talk.play('w> 42["early"]')
    wire.upgraded = False
    talk.play("w< 400 bad\nw< FIN").close()
    (client,) = talk.sessions.clients.values()
    (group,) = client.attempts.values()
    assert [anomaly.kind.value for anomaly in group.first[0].anomalies][:1] == ["ws-before-101"]


# ---------------------------------------------------------------- WebSocket


@pytest.mark.parametrize(
    ("script", "frame", "refused"),
    [
        (POLLING.partition("\n")[0] + "\na> early 42[]\na< 400 Bad\na< FIN\na> FIN", 2, None),
        (POLLING.partition("\n")[0] + "\na> early 42[]\na< 200 open:S\na< 400 Bad\na< FIN\na> FIN", 2, 4),
        (POLLING + "\na> early 42[]\na< 400 Bad\na< FIN\na> FIN", 3, 4),
        (POLLING + "\n" + UPGRADE + "\nw> early 2probe\nw< 101\nw< 3probe", 4, None),
        ("w> WS EIO=4&transport=websocket\nw> early 40\nw< 101\nw< open:S", 2, None),
    ],
)
def test_frames_before_the_101(script: str, frame: int, refused: int | None, late: bool) -> None:
    (client,) = played(script, late=late).sessions.clients.values()
    (early,) = client.early_frames
    assert (early.frame.number, early.refused and early.refused.place.number) == (frame, refused)


def test_control_frames_are_counted(late: bool) -> None:
    ledger = session("w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw> PING\nw< PONG\n+ 60\nw> PING", late=late)
    assert [tally.count for tally in ledger.ws_pings] == [2, 0]
    assert [tally.count for tally in ledger.ws_pongs] == [0, 1]
    assert ledger.ws_pings[CLIENT].period_ns == 60_002_000_000


def test_large_messages_are_transfers(late: bool) -> None:
    talk = Talk(late=late).play("w> WS EIO=4&transport=websocket\nw< 101\nw< open:S")
    talk.play(f'w> 42["{"x" * 65_000}"]').close()
    assert not talk.session.transfers
    posted = played(POLLING, f'b> POST EIO=4&transport=polling&sid=S 42["{"x" * 70_000}"]', late=late).session
    (transfer,) = posted.transfers
    assert (transfer.side, transfer.complete, transfer.bytes) == (CLIENT, True, 70_006)


def test_a_slow_pong_keeps_the_acknowledgement_of_its_ping() -> None:
    opened = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw< 2"
    talk = Talk().play(opened)
    talk.acknowledge()
    slowest = talk.play("+ 3\nw> 3").close().session.heartbeats.slowest
    assert slowest is not None
    assert slowest.ping_acked is not None
    quick = Talk().play(opened)
    quick.acknowledge()
    fast = quick.play("w> 3").close().session.heartbeats.slowest
    assert fast is not None
    assert fast.ping_acked is None
