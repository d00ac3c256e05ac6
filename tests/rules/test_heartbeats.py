"""Rules on heartbeats: who is to blame, what is a cause and what its consequence, and what only looks like a fault.

Conversations are written down as in `test_combinations`; where TCP decides, recordings of real peers are asked.
"""

from pathlib import Path

import pytest

from eiosniff.model.attempt import Transfer
from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.rules.registry import all_rules
from tests.cases import RECORDED, report_of
from tests.rules.test_combinations import BEAT, HUNG_UP, JOIN, OPEN, POLL, POLL_OPEN, POST
from tests.unit.decode.talk_sessions import SECOND, Talk, played, repeated

RARE = (
    'w#> WS EIO=4&transport=websocket\nw#< 101\nw#< 0{"sid":"S#","upgrades":[],"pingInterval":%d,"pingTimeout":20000}\n'
)
OLD = "w#> WS EIO=3&transport=websocket\nw#< 101\nw#< open:S#\nw#< 40\n"
OLD_BEAT = "+ 25\nw#> 2\nw#< 3\n"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"


def script(*parts: str) -> str:
    return repeated("\n".join(parts), [1])


def names(*parts: str) -> list[str]:
    return played(script(*parts)).names()


def only(*parts: str) -> Finding:
    (finding,) = played(script(*parts)).findings()
    return finding


# ---------------------------------------------------------------- who is to blame

FAULTY = RECORDED / "faulty"
VERDICTS = {
    "pong-missing-client-frozen": "it was frozen",
    "pong-missing-network-gone": "the network is gone",
    "pong-missing-v4-server": "it never answers any",
    "pong-missing-v2-server-frozen": "it was frozen",
    "pong-missing-v2-network-gone": "the network is gone",
    "pong-missing-behind-nginx-client-hop": "it was frozen",
    "pong-missing-behind-nginx-server-hop": "a proxy answers for it",
    "pong-missing-behind-nginx-both-hops": "it was frozen",
    "pong-missing-behind-nginx-network-gone-server-hop": "a proxy answers for it",
    "pong-missing-behind-nginx-network-gone-both-hops": "the network is gone",
    "ping-missing-server-frozen": "it was frozen",
    "ping-missing-event-loop-held": "it was frozen",
    "ping-missing-server-mute": "it does not ping",
    "ping-missing-network-gone": "the network is gone",
    "ping-missing-behind-nginx-client-hop": "a proxy answers for it",
    "ping-missing-behind-nginx-both-hops": "it was frozen",
    "eio3-no-client-ping-client-frozen": "it was frozen",
    "eio3-no-client-ping-network-gone": "the network is gone",
    "eio3-no-client-ping-raw-v2-server": "it never does",
    "eio3-no-client-ping-raw-polling-v2-server": "it never does",
    "heartbeat-slow-client-busy": "its program is busy",
    "heartbeat-slow-path": "the path is slow",
    "heartbeat-slow-v2-server-busy": "its program is busy",
}


@pytest.mark.parametrize("stem", VERDICTS)
def test_tcp_tells_who_is_to_blame(stem: str) -> None:
    first = report_of(FAULTY / f"{stem}.pcap").diagnoses[0]
    # Where it is the network, that comes first and this is what follows from it.
    finding = next(each for each in (first.finding, *first.consequences) if stem.startswith(each.name))
    assert (finding is first.finding) == (VERDICTS[stem] not in ("the network is gone", "the path is slow"))
    assert finding.title.endswith(f": {VERDICTS[stem]}")


def test_the_side_that_does_not_answer_is_named() -> None:
    for stem, side in (("pong-missing-v2-server-frozen", "server"), ("pong-missing-client-frozen", "client")):
        finding = report_of(FAULTY / f"{stem}.pcap").diagnoses[0].finding
        assert finding.title.startswith(f"The {side} does not answer")
        assert finding.fix[0].startswith(side.capitalize())


def test_a_proxy_that_acknowledges_excuses_nobody() -> None:
    finding = report_of(FAULTY / "pong-missing-behind-nginx-server-hop.pcap").diagnoses[0].finding
    assert "X-Forwarded-For" in finding.summary
    assert "cannot be seen here" in finding.summary
    assert finding.fix[0].startswith("Capture between the proxy and the client")


def verdict(talk: Talk, name: str) -> str:
    finding = talk.found(name)
    assert finding is not None
    return finding.title.rpartition(": ")[2]


def test_an_acknowledged_end_tells_a_frozen_server_from_one_that_cannot_be_known() -> None:
    closed = script(OPEN, JOIN, BEAT, "+ 45\nw#> close")
    frozen, unknown = Talk().play(closed), Talk().play(closed)
    frozen.acknowledge()
    assert verdict(frozen, "ping-missing") == "it was frozen"
    assert verdict(unknown, "ping-missing") == "its program is blocked, or gone"


def test_an_acknowledged_end_tells_a_frozen_client_of_revision_3() -> None:
    closed = script(OLD, OLD_BEAT, "+ 45\nw#< close")
    frozen, unknown = Talk().play(closed), Talk().play(closed)
    frozen.acknowledge()
    assert verdict(frozen, "eio3-no-client-ping") == "it was frozen"
    assert verdict(unknown, "eio3-no-client-ping") == "it has stopped"


def test_what_comes_after_the_end_is_no_heartbeat() -> None:
    late_pong = played(script(OPEN, JOIN, "+ 25\nw#< 2\n+ 20\nw#< close\n+ 5\nw#> 3"))
    late_ping = played(script(OPEN, JOIN, BEAT, "+ 45\nw#> close\nw#< 2"))
    assert late_pong.names() == ["pong-missing"]
    assert late_pong.session.heartbeats.pongs == 0
    assert late_ping.names() == ["ping-missing"]


def test_an_event_after_the_end_does_not_excuse_a_client_that_never_pinged() -> None:
    assert names(OLD, "+ 45\nw#< close", 'w#> 42["late"]') == ["eio3-no-client-ping"]


REVISION_3 = {
    "server frozen, client gives up": ([OLD, OLD_BEAT, "+ 25\nw#> 2\n+ 20\nw#> close"], ["pong-missing"]),
    "over polling the pong needs a request": (
        ["a#> GET EIO=3&transport=polling\na#< 200 open3:S#", "b#> POST EIO=3&transport=polling&sid=S# 1:2\nb#< 200 ok",
         "+ 40"],
        [],
    ),
    "never answered, client gives up": ([OLD, "+ 25\nw#> 2\n+ 20\nw#> close"], ["pong-missing"]),
    "the pong comes in time": ([OLD, OLD_BEAT, "+ 25\nw#> 2\n+ 19\nw#< 3"], []),
    "the capture ends before the time is over": ([OLD, OLD_BEAT, "+ 25\nw#> 2\n+ 10"], []),
    "the client is patient, then leaves": ([OLD, "+ 25\nw#> 2\n+ 30\nw#> 41\nw#> close"], ["pong-missing"]),
    "the server leaves while a ping waits": ([OLD, "+ 25\nw#> 2\n+ 21\nw#< close"], []),
    "never pings, over polling": (
        ["a#> GET EIO=3&transport=polling\na#< 200 open3:S#", "a#> GET EIO=3&transport=polling&sid=S#", "+ 45",
         "a#< 200 1:1"],
        ["eio3-no-client-ping"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REVISION_3)
def test_revision_3(case: str) -> None:
    parts, expected = REVISION_3[case]
    assert [name for name in names(*parts) if name != "stuck-in-polling"] == expected


# ---------------------------------------------------------------- slow pongs


def beats(*delays: float) -> str:
    return "".join(f"+ 25\nw#< 2\n+ {delay}\nw#> 3\n" for delay in delays)


SLOW = {
    "all are slow": ([1.5] * 3, ["heartbeat-slow"]),
    "two are slow": ([0.01, 1.5, 1.6, 0.01], ["heartbeat-slow"]),
    "one is slow": ([0.01, 12, 0.01], []),
    "two of fifty are slow": ([0.01] * 48 + [5, 5], []),
    "five of fifty are slow": ([0.01] * 45 + [5] * 5, ["heartbeat-slow"]),
    "far away": ([0.7] * 10, []),
}


@pytest.mark.parametrize("case", SLOW)
def test_slow_pongs_are_a_habit(case: str) -> None:
    delays, expected = SLOW[case]
    assert names(OPEN, JOIN, beats(*delays)) == expected


def test_slow_pongs_are_shown_as_a_distribution() -> None:
    finding = only(OPEN, JOIN, beats(0.5, 2, 4))
    assert "the client has answered 3 pings, as a rule after 2.0 s, the slowest after 4.0 s" in finding.summary


def test_what_is_slow_can_be_set() -> None:
    session = played(script(OPEN, JOIN, beats(0.5, 0.5))).session
    (rule,) = (rule for rule in all_rules() if rule.name == "heartbeat-slow")
    assert not list(rule.check(session, rule.limits))
    assert list(rule.check(session, {**rule.limits, "pong_ms": 400}))
    assert not list(rule.check(session, {**rule.limits, "pong_ms": 400, "slow_pongs": 3}))


def test_a_slow_client_that_dies_is_one_diagnosis() -> None:
    assert names(OPEN, JOIN, beats(3, 3, 3), "+ 25\nw#< 2\n+ 20", HUNG_UP) == ["pong-missing + heartbeat-slow"]


# ---------------------------------------------------------------- large messages


def transferred(talk: Talk, side: Side, begin_s: float, end_s: float, *, complete: bool = True) -> list[str]:
    """What is found if a large message was on its way, in seconds after the session was opened."""
    session = talk.session
    opened = session.opened.ts_ns
    first, last = (PacketRef(3, opened + round(at * SECOND)) for at in (begin_s, end_s))
    session.transfers.add(Transfer(side, first, last, 300_000, complete), last.ts_ns)
    return talk.names()


UNANSWERED = [OPEN, JOIN, "+ 25\nw#< 2\n+ 20", HUNG_UP]
UPLOADS = {
    "until the end": (24, 50, True, "ping-timeout-during-transfer"),
    "cut by the end": (24, 30, False, "ping-timeout-during-transfer"),
    "began just after the ping": (25.5, 50, True, "ping-timeout-during-transfer"),
    "through long before the end": (24, 35, True, "pong-missing"),
    "began when the pong was long due": (35, 50, True, "pong-missing"),
    "began after the end": (60, 70, True, "pong-missing"),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_an_upload_is_to_blame_only_if_the_pong_had_to_wait_for_it(case: str) -> None:
    begin, end, complete, expected = UPLOADS[case]
    talk = played(script(*UNANSWERED))
    assert transferred(talk, Side.CLIENT, begin, end, complete=complete) == [expected]


def test_a_download_does_not_hold_the_pong_up() -> None:
    assert transferred(played(script(*UNANSWERED)), Side.SERVER, 26, 50) == ["pong-missing"]


def test_a_download_holds_the_server_s_own_ping_up() -> None:
    talk = played(script(OPEN, JOIN, BEAT, "+ 45\nw#> close"))
    assert transferred(talk, Side.SERVER, 49, 80) == ["ping-timeout-during-transfer"]


def test_an_upload_holds_the_ping_of_a_client_of_revision_3_up() -> None:
    talk = played(script(OLD, OLD_BEAT, "+ 45\nw#< close"))
    assert transferred(talk, Side.CLIENT, 49, 80) == ["ping-timeout-during-transfer"]


def test_an_upload_that_ends_with_an_orderly_goodbye_is_no_fault() -> None:
    assert transferred(played(script(OPEN, JOIN, BEAT, "+ 46\nw#> 41\nw#> close")), Side.SERVER, 49, 80) == []


# ---------------------------------------------------------------- clients that talk and do not answer

TALK = '+ 5\nw#> 42["a"]\n'
CHATTY = {
    "closed in the middle of the talk": (
        [OPEN, JOIN, "+ 25\nw#< 2", TALK * 3, "+ 5", HUNG_UP], ["chatty-but-no-pong"], Severity.ERROR,
    ),
    "lives": ([OPEN, JOIN, "+ 25\nw#< 2", TALK * 9], ["chatty-but-no-pong"], Severity.INFO),
    "answered before": ([OPEN, JOIN, BEAT, "+ 25\nw#< 2", TALK * 3, "+ 5", HUNG_UP], ["chatty-but-no-pong"],
                        Severity.ERROR),
    "then cut for silence": ([OPEN, JOIN, "+ 25\nw#< 2", TALK * 2, "+ 60\nw#< FIN"], ["chatty-but-no-pong"],
                             Severity.ERROR),
    "what it says had been on its way": ([OPEN, JOIN, '+ 25\nw#< 2\nw#> 42["a"]\n+ 20', HUNG_UP], ["pong-missing"],
                                         Severity.ERROR),
    "it pings instead": ([OPEN, JOIN, "+ 20\nw#> 2\n+ 5\nw#< 2\n+ 15\nw#> 2\n+ 5", HUNG_UP],
                         ["client-ping-in-eio4 + pong-missing"], Severity.ERROR),
    "it leaves": ([OPEN, JOIN, "+ 25\nw#< 2\n+ 5\nw#> 41\nw#> close"], [], None),
}  # fmt: skip


@pytest.mark.parametrize("case", CHATTY)
def test_a_client_that_talks_but_does_not_answer(case: str) -> None:
    parts, expected, severity = CHATTY[case]
    talk = played(script(*parts))
    assert talk.names() == expected
    assert [diagnosis.finding.severity for diagnosis in talk.diagnoses()] == ([severity] if severity else [])


def test_a_client_that_lives_by_luck_explains_no_loop() -> None:
    lives = [OPEN, JOIN, "+ 2\nw#< 2", '+ 2\nw#> 42["a"]\n' * 12, "w#> FIN\nw#< FIN\n+ 1"]
    found = played(repeated("\n".join(lives), range(5))).diagnoses()
    assert not any(diagnosis.consequences for diagnosis in found if diagnosis.finding.name == "chatty-but-no-pong")


# ---------------------------------------------------------------- proxies


def cut(
    silence: float,
    end: str = "w1< FIN",
    *,
    interval: int = 120_000,
    headers: str = "",
    replies: str = "",
    more: str = "",
) -> Talk:
    talk = Talk()
    talk.connect("w1", headers=headers, replies=replies)
    return talk.play(script(RARE % interval, JOIN, more, f"+ {silence}\n{end}"))


CUT_FOR_SILENCE = "heartbeat-vs-proxy + ws-abnormal-close"
CUTS = {
    "after 60 s": (cut(60), [CUT_FOR_SILENCE]),
    "reset after 350 s": (cut(350, "w1< RST", interval=400_000), [CUT_FOR_SILENCE]),
    "before the second ping": (cut(60, interval=100_000, more="+ 100\nw#< 2\nw#> 3"), [CUT_FOR_SILENCE]),
    "at any time: a crash": (cut(37.3, interval=50_000), ["ws-abnormal-close"]),
    "in spite of usual pings: one may be chance": (cut(10, interval=25_000), ["ws-abnormal-close"]),
    "with a close frame": (cut(60, "w1< close 1001\nw1< FIN", interval=61_000), ["heartbeat-vs-proxy"]),
    "the client ends it": (cut(30, "w1> FIN", interval=50_000), []),
    "the proxy ends it, on the server's hop": (
        cut(30, "w1> FIN", interval=50_000, headers="X-Forwarded-For: 10.9.9.9\r\n"), ["heartbeat-vs-proxy"],
    ),
    "not before the ping was due": (cut(60, interval=25_000), []),
    "a ping of WebSocket breaks the silence": (cut(60, interval=50_000, more="+ 11\nw#> PING\nw#< PONG"), []),
    "no silence at all": (cut(0, interval=50_000), ["ws-abnormal-close"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CUTS)
def test_a_cut_for_silence(case: str) -> None:
    talk, expected = CUTS[case]
    assert talk.names() == expected


@pytest.mark.parametrize(
    ("replies", "certainty"),
    [("", Certainty.LIKELY), ("Server: nginx\r\n", Certainty.CERTAIN), ("Via: 1.1 edge\r\n", Certainty.CERTAIN)],
)
def test_a_proxy_that_shows_itself_makes_a_cut_certain(replies: str, certainty: Certainty) -> None:
    finding = cut(60, replies=replies).found("heartbeat-vs-proxy")
    assert finding is not None
    assert finding.certainty is certainty
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("replies", ["", "Server: nginx\r\n"])
def test_a_short_silence_may_be_chance(replies: str) -> None:
    """When a server goes down, a few of its sessions have been silent for a round time."""
    finding = cut(10, replies=replies).found("heartbeat-vs-proxy")
    assert finding is not None
    assert (finding.certainty, finding.severity) == (Certainty.POSSIBLE, Severity.WARNING)
    assert finding.doubt


def test_a_close_frame_is_no_cut() -> None:
    finding = cut(60, "w1< close 1001\nw1< FIN", interval=61_000).found("heartbeat-vs-proxy")
    assert finding is not None
    assert finding.severity is Severity.INFO  # only the long interval


@pytest.mark.parametrize(("interval", "expected"), [(55_000, []), (56_000, ["heartbeat-vs-proxy"])])
def test_a_long_interval_is_mentioned(interval: int, expected: list[str]) -> None:
    talk = played(script(RARE % interval, JOIN, "+ 5\nw#> 41\nw#> close"))
    assert talk.names() == expected
    assert all(finding.severity is Severity.INFO for finding in talk.findings())


def test_cuts_that_loop_are_one_diagnosis() -> None:
    parts = [RARE % 25_000, JOIN, "+ 5\nw#< FIN\nw#> FIN\n+ 1"]
    assert played(repeated("\n".join(parts), range(5))).names() == ["idle-cut + connect-loop + ws-abnormal-close"]
    slow = [RARE % 30_000, JOIN, "+ 5\nw#< FIN\nw#> FIN\n+ 1"]
    (name,) = played(repeated("\n".join(slow), range(5))).names()
    assert name.split(" + ")[0] == "heartbeat-vs-proxy"
    assert sorted(name.split(" + ")[1:]) == ["connect-loop", "ws-abnormal-close"]


def test_a_long_interval_explains_no_loop() -> None:
    parts = [RARE % 120_000, JOIN, "+ 3.3\nw#< close\nw#< FIN\nw#> FIN\n+ 1"]
    assert played(repeated("\n".join(parts), range(5))).names() == ["connect-loop", "heartbeat-vs-proxy"]


@pytest.mark.parametrize("status", [504, 524])
def test_a_poll_that_the_proxy_answers_itself(status: int) -> None:
    answered = f"+ 20\na#< {status} <html>timed out</html>"
    assert names(POLL_OPEN, POST.format("40"), POLL, answered) == ["heartbeat-vs-proxy + gateway-5xx"]


# ---------------------------------------------------------------- fast and double heartbeats


def test_a_fast_heartbeat_is_mentioned_once_and_last() -> None:
    parts = [RARE % 1000, JOIN, "+ 1\nw#< 2\nw#> 3\n+ 1\nw#> 41\nw#> close\nw#> FIN\nw#< FIN\n+ 30"]
    talk = played(repeated("\n".join(parts), range(4)))
    (finding,) = talk.findings()
    assert (finding.name, finding.severity, finding.occurrences) == ("heartbeat-too-fast", Severity.INFO, 1)
    dead = played(script(RARE % 1000, JOIN, "+ 1\nw#< 2\n+ 20", HUNG_UP))
    assert dead.names() == ["pong-missing", "heartbeat-too-fast"]


DOUBLE = {
    "both run": ([OPEN, JOIN, BEAT, "w#> PING\nw#< PONG\n+ 10"], Severity.INFO),
    "the server pings by WebSocket": ([OPEN, JOIN, BEAT, "w#< PING\nw#> PONG\n+ 10"], Severity.INFO),
    "no PONG frames": ([OPEN, JOIN, BEAT, "w#> PING\n+ 10\nw#> PING\n+ 10\nw#> FIN"], Severity.WARNING),
    "no PONG frame, and the client gives up": ([OPEN, JOIN, "w#> PING\n+ 1\nw#> FIN"], Severity.WARNING),
    "one PONG for several PINGs": ([OPEN, JOIN, BEAT, "w#> PING\nw#> PING\nw#< PONG\n+ 10"], Severity.INFO),
    "the capture ends before a PONG": ([OPEN, JOIN, "w#> PING"], None),
    "no ping of Engine.IO yet": ([OPEN, JOIN, "w#> PING\nw#< PONG\n+ 5"], None),
}


@pytest.mark.parametrize("case", DOUBLE)
def test_two_heartbeats(case: str) -> None:
    parts, severity = DOUBLE[case]
    talk = played(script(*parts))
    found = [(finding.name, finding.severity) for finding in talk.findings()]
    assert found == ([("double-heartbeat", severity)] if severity else [])


def test_a_frozen_server_answers_no_ping_of_either_kind() -> None:
    parts = [OPEN, JOIN, BEAT, "+ 20\nw#> PING\n+ 25\nw#> close"]
    assert names(*parts) == ["ping-missing + double-heartbeat"]


# ---------------------------------------------------------------- hidden pages


def page(*parts: str, agent: str = CHROME, acknowledged: bool = True) -> Talk:
    talk = Talk()
    talk.connect("w1", agent=agent)
    talk.play(script(*parts))
    if acknowledged:
        talk.acknowledge()
    return talk


def test_pings_by_the_minute_are_those_of_a_hidden_page() -> None:
    late = [OLD, OLD_BEAT * 3, "+ 60\nw#> 2\nw#< 3\n" * 2]
    talk = page(*late)
    assert talk.names() == ["throttled-timers"]
    assert talk.findings()[0].certainty is Certainty.LIKELY
    assert page(*late, agent="").names() == []


def test_pings_that_are_late_but_not_by_the_minute_are_not() -> None:
    assert page(OLD, OLD_BEAT * 3, "+ 40\nw#> 2\nw#< 3\n" * 2).names() == []


def test_a_page_whose_pings_stop_may_be_hidden() -> None:
    stops = [OLD, OLD_BEAT * 3, "+ 45\nw#< close"]
    talk = page(*stops)
    assert talk.names() == ["throttled-timers + eio3-no-client-ping"]
    assert talk.findings()[-1].certainty is Certainty.POSSIBLE
    assert page(*stops, agent="").names() == ["eio3-no-client-ping"]
    assert page(*stops, acknowledged=False).names() == ["eio3-no-client-ping"]
    assert page(OLD, "+ 45\nw#< close").names() == ["eio3-no-client-ping"]


def test_an_old_client_in_a_hidden_page_does_not_answer_after_it_spoke() -> None:
    spoke = [OPEN, JOIN, BEAT, '+ 24\nw#> 42["a"]\n+ 1\nw#< 2\n+ 20\nw#< close']
    silent = [OPEN, JOIN, BEAT, "+ 25\nw#< 2\n+ 20\nw#< close"]
    assert page(*spoke).names() == ["throttled-timers + pong-missing"]
    assert page(*silent).names() == ["pong-missing"]
    assert page(*spoke, acknowledged=False).names() == ["pong-missing"]


# ---------------------------------------------------------------- several faults in one session


def test_a_client_that_pings_and_never_joins_is_an_old_one() -> None:
    assert names(OPEN, "+ 20\nw#> 2\n" + BEAT, "+ 20") == ["client-ping-in-eio4 + no-connect-packet"]


@pytest.mark.parametrize(
    "stem",
    [
        "ping-timeout-during-transfer-websocket",
        "ping-timeout-during-transfer-download",
        "ping-timeout-during-transfer-polling",
        "ping-timeout-during-transfer-v2-server",
    ],
)
def test_a_transfer_is_the_only_thing_to_be_said(stem: str) -> None:
    diagnoses = report_of(Path(FAULTY / f"{stem}.pcap")).diagnoses
    serious = [diagnosis.finding.name for diagnosis in diagnoses if diagnosis.finding.severity > Severity.INFO]
    assert serious == ["ping-timeout-during-transfer"]
    assert {finding.name for finding in diagnoses[0].consequences} <= {"loss-latency"}  # as an info: the way is long


def test_a_double_heartbeat_explains_a_loop_only_if_it_is_dead() -> None:
    beat = "+ 1\nw#< 2\nw#> 3\n"
    alive = [OPEN, JOIN, beat, "w#> PING\nw#< PONG\n+ 1", HUNG_UP, "+ 1"]
    dead = [OPEN, JOIN, beat, "w#> PING\n+ 1\nw#> FIN\nw#< FIN", "+ 1"]
    assert played(repeated("\n".join(alive), range(5))).names() == ["connect-loop", "double-heartbeat"]
    (name,) = played(repeated("\n".join(dead), range(5))).names()
    assert name == "double-heartbeat + connect-loop + ws-abnormal-close"
