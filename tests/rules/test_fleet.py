"""Rules on what many sessions show together: which of them speaks, what is a cause, and what only looks like one."""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.network import Reset, SideFacts
from eiosniff.model.provenance import Side
from tests.rules.test_combinations import BEAT, HUNG_UP, JOIN, OPEN, POLL, POLL_OPEN
from tests.unit.decode.talk_sessions import Talk, played, repeated

PINGS = (
    'w#> WS EIO=4&transport=websocket\nw#< 101\nw#< 0{"sid":"S#","upgrades":[],"pingInterval":%d,"pingTimeout":20000}\n'
)
OLD = PINGS.replace("EIO=4", "EIO=3").replace("20000", "60000") % 25_000 + "w#< 40\n"
FIN = "w#< FIN\nw#> FIN\n"
# Ids whose last bytes count the sessions of a process: of one process, and of the one that comes after it.
FIRST = PINGS.replace("S#", "AAAAAAAAAAAAAAAAAAA%s").replace("%d", "25000")


def times(count: int, *parts: str) -> Talk:
    return played(repeated("\n".join(parts), range(count)))


def through(client: str, *, replies: str = "", headers: str = "") -> Talk:
    """Connections w0 to w9, whose answers and requests have these headers."""
    talk = Talk()
    for number in range(10):
        talk.connect(f"w{number}", client, replies=replies, headers=headers)
    return talk


def only(talk: Talk, name: str) -> Finding:
    finding = talk.found(name)
    assert finding is not None
    return finding


def root(talk: Talk) -> str:
    return talk.names()[0].split(" + ")[0] if talk.names() else ""


# ---------------------------------------------------------------- cuts after the same silence


@pytest.mark.parametrize(
    ("silence", "named", "seconds"),
    [
        (30, "Google Cloud", "30 s"),
        (50, "HAProxy", "50 s"),
        (55, "Heroku", "55 s"),
        (60, "nginx", "60 s"),
        (60.2, "AWS ALB", "60.2 s"),
        (20, "", "20 s"),
    ],
)
def test_a_known_timeout_is_named(silence: float, named: str, seconds: str) -> None:
    # A client of revision 3 pings; one that does not leaves the wire silent.
    talk = times(3, OLD, f"+ {silence}", FIN, "+ 1")
    finding = only(talk, "idle-cut")
    assert root(talk) == "idle-cut"
    assert finding.title == f"Connections are cut after {seconds} of silence, each time"
    assert (named in finding.summary) if named else ("a timer that somebody has set" in finding.summary)
    assert (finding.certainty, finding.severity) == (Certainty.LIKELY, Severity.ERROR)


def test_sessions_that_began_before_the_capture_are_cut_too() -> None:
    talk = Talk()
    for number in range(3):
        talk.connect(f"w{number}", midstream=True)
        talk.play(repeated('w#< 42["a"]\nw#> 42["b"]\n+ 100\nw#< RST\n+ 7', [number]))
    assert "Cloudflare" in only(talk, "idle-cut").summary


def test_a_proxy_that_shows_itself_makes_it_certain() -> None:
    script = repeated(OPEN + JOIN + "+ 10\n" + FIN + "+ 1", range(3))
    assert (
        only(through("10.0.0.7", replies="Server: nginx\r\n").play(script), "idle-cut").certainty is Certainty.CERTAIN
    )
    hidden = only(through("10.0.0.7").play(script), "idle-cut")
    assert hidden.certainty is Certainty.LIKELY
    assert hidden.doubt == "no proxy shows itself in the capture"


def test_a_proxy_that_shows_itself_is_not_doubted() -> None:
    script = repeated(OPEN + JOIN + "+ 4\n" + FIN + "+ 1", range(3))
    odd = only(through("10.0.0.7", replies="Server: nginx\r\n").play(script), "idle-cut")
    assert "a proxy shows itself" in odd.summary
    assert odd.certainty is Certainty.LIKELY
    assert odd.doubt == "that time is neither a known default nor a round number, as most timers are"


def test_on_the_hop_of_the_server_the_client_of_the_connection_cuts() -> None:
    script = repeated(OPEN + JOIN + "+ 10\nw#> RST\n+ 1", range(3))
    assert root(through("10.0.0.7", headers="X-Forwarded-For: 10.9.9.9\r\n").play(script)) == "idle-cut"
    assert root(through("10.0.0.7").play(script)) != "idle-cut"  # phones come and go


def test_polls_that_are_cut_while_they_wait() -> None:
    talk = times(3, POLL_OPEN, POLL, "+ 20\na#< RST\n+ 7")
    assert "idle-cut" in talk.names()[0]


NO_IDLE_CUT = {
    "one may be chance": [OPEN, JOIN, "+ 10", FIN],
    "a ping was due": [OPEN, JOIN, "+ 30", FIN, "+ 1"],
    "a close frame": [OPEN, JOIN, "+ 10\nw#< close\n", FIN, "+ 1"],
    "no silence": [OPEN, JOIN, "+ 0.5", FIN, "+ 1"],
    "a longer silence before": [OPEN, JOIN, '+ 20\nw#> 42["a"]\n+ 10', FIN, "+ 1"],
    "the server gives a client up": [OPEN, JOIN, "+ 25\nw#< 2\n+ 20", FIN, "+ 1"],
}


@pytest.mark.parametrize("case", NO_IDLE_CUT)
def test_what_is_no_cut_for_silence(case: str) -> None:
    assert times(1 if case.startswith("one ") else 4, *NO_IDLE_CUT[case]).found("idle-cut") is None


def test_silences_that_differ_are_no_timer() -> None:
    parts = [repeated(OPEN + JOIN + f"+ {silence}" + "\n" + FIN + "+ 1\n", [at]) for at, silence in
             enumerate((4, 7, 12, 21))]  # fmt: skip
    assert played(*parts).found("idle-cut") is None


def test_a_deployment_is_no_cut_for_silence_however_long_that_was() -> None:
    """Half of the sessions have been silent for a round time, by chance; all end in one moment."""
    talkers = repeated('w#> 42["a"]', range(3))
    script = repeated(OPEN + JOIN, range(6)) + "\n+ 5\n" + talkers + "\n+ 10\n" + repeated(FIN, range(6))
    talk = played(script)
    assert talk.found("idle-cut") is None
    assert root(talk) == "mass-close"


def test_sessions_that_fell_silent_together_are_cut_together() -> None:
    """As after a broadcast: their timers end in one moment too."""
    script = repeated(OPEN + JOIN, range(6)) + "\n+ 10\n" + repeated(FIN, range(6))
    assert played(script).names() == ["idle-cut + ws-abnormal-close"]


@pytest.mark.parametrize(("interval", "cause"), [(25_000, "idle-cut"), (30_000, "heartbeat-vs-proxy")])
def test_a_cut_is_told_once_by_what_can_be_changed(interval: int, cause: str) -> None:
    talk = times(3, PINGS % interval, JOIN, "+ 20", FIN, "+ 11")
    assert [name.split(" + ")[0] for name in talk.names()] == [cause]


def test_a_deployment_is_no_proxy_that_cuts_although_one_silence_is_round() -> None:
    slow = repeated(PINGS % 90_000 + JOIN, range(4)) + "\n+ 23\n"
    script = slow + "".join(f'w{at}> 42["a"]\n+ {pause}\n' for at, pause in enumerate((8, 5, 12, 35)))
    talk = played(script.replace("w#", "w") + repeated(FIN, range(4)))
    assert sum(round(cut.silence_ns / 1e9, 1) == 60 for server in talk.sessions.servers.values()
               for cut in server.fleet.cuts) == 1  # fmt: skip
    assert root(talk) == "mass-close"
    assert root(times(3, PINGS % 90_000, JOIN, "+ 60", FIN, "+ 11")) == "heartbeat-vs-proxy"


def test_limits_of_the_cuts_are_the_users() -> None:
    from eiosniff.rules.registry import all_rules  # noqa: PLC0415

    talk = times(2, OPEN, JOIN, "+ 10", FIN, "+ 1")
    (server,) = talk.sessions.servers.values()
    rule = next(rule for rule in all_rules() if rule.name == "idle-cut")
    assert list(rule.hits(server))
    assert not list(rule.adjusted(None, {"fewest_cuts": 3}).hits(server))
    assert not list(rule.adjusted(None, {"shortest_ms": 11_000}).hits(server))


# ---------------------------------------------------------------- cuts at the same age


TALKS = '+ 7\nw#> 42["a"]\n+ 9\nw#> 42["b"]\n'


def test_cuts_at_the_same_age_although_something_passes() -> None:
    talk = times(3, OPEN, JOIN, TALKS, "+ 4", FIN, "+ 1")
    assert root(talk) == "lifetime-cut"
    assert only(talk, "lifetime-cut").title.startswith("Connections are cut when they are 20 s old")
    assert talk.found("idle-cut") is None


def test_a_known_age_is_named() -> None:
    talk = times(3, OPEN, JOIN, BEAT * 11, "+ 24.9", FIN, "+ 1")
    assert "Cloud Run" in only(talk, "lifetime-cut").summary


@pytest.mark.parametrize(("pause", "expected"), [("+ 0.2", True), ("", False)])
def test_cuts_right_after_what_the_client_said_are_answers(pause: str, expected: bool) -> None:
    talk = times(3, OPEN, JOIN, TALKS, '+ 4\nw#> 42["boom"]', pause, FIN, "+ 1")
    assert (talk.found("lifetime-cut") is not None) is expected
    assert only(times(3, OPEN, JOIN, TALKS, '+ 4\nw#< 42["news"]', FIN, "+ 1"), "lifetime-cut")


@pytest.mark.parametrize("count", [1, 2])
def test_two_at_the_same_age_may_be_chance(count: int) -> None:
    assert times(count, OPEN, JOIN, TALKS, "+ 4", FIN, "+ 1").found("lifetime-cut") is None


# ---------------------------------------------------------------- many at once


def together(count: int, of: int, end: str = FIN) -> Talk:
    return played(repeated(OPEN + JOIN + "+ 0.1", range(of)) + "\n+ 2.4\n" + repeated(end, range(count)))


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [(10, 40, True), (9, 40, False), (10, 101, False), (3, 6, True), (3, 7, False), (2, 2, False)],
)
def test_how_many_are_many(count: int, of: int, expected: bool) -> None:
    assert (together(count, of).found("mass-close") is not None) is expected


def test_a_server_that_ends_sessions_all_the_time_is_no_event() -> None:
    parts = [repeated(OPEN + JOIN, [at]) + ("\n+ 0.15\n" + repeated(HUNG_UP, [at - 12]) if at >= 12 else "")
             for at in range(200)]  # fmt: skip
    assert played(*parts).found("mass-close") is None


def test_they_may_end_by_close_frames() -> None:
    finding = only(together(6, 6, "w#< close 1012\nw#< FIN"), "mass-close")
    assert "6 by close frame, code 1012" in finding.summary


@pytest.mark.parametrize("end", ["w#> FIN\nw#< FIN", "w#> close 1001\nw#> FIN\nw#< FIN", "w#> 41\nw#> FIN\nw#< FIN"])
def test_clients_that_leave_together_are_no_fault(end: str) -> None:
    assert together(6, 6, end).names() == []


def test_clients_that_are_given_up_together_are_no_event_at_the_server() -> None:
    script = repeated(OPEN + JOIN, range(4)) + "\n+ 25\n" + repeated("w#< 2", range(4)) + "\n+ 20\n"
    talk = played(script + repeated(HUNG_UP, range(4)))
    assert talk.found("mass-close") is None
    assert root(talk) == "pong-missing"


SAME_FAULT = {
    "each pings": [OPEN + JOIN, "+ 20", "w#> 2\n" + HUNG_UP],
    "each is refused": [OPEN, 'w#> 40\nw#< 44{"message":"no"}\n' + HUNG_UP],
    "none joins": [OPEN, "+ 25", "w#< 2\nw#> 3", "+ 20", HUNG_UP],
    "in step, but for some jitter": [OPEN + JOIN + "+ 0.06", "+ 19", "w#> 2\n" + HUNG_UP + "+ 0.06"],
}


@pytest.mark.parametrize("case", SAME_FAULT)
def test_clients_that_are_closed_for_the_same_mistake_are_no_event_at_the_server(case: str) -> None:
    parts = [repeated(part, range(12)) if "#" in part else part for part in SAME_FAULT[case]]
    again = repeated(OPEN, range(20, 32))
    found = {name for line in played("\n".join([*parts, "+ 0.5", again])).names() for name in line.split(" + ")}
    assert not found & {"mass-close", "reconnect-storm"}


def test_sessions_that_began_in_one_moment_may_end_by_an_event_too() -> None:
    script = repeated(OPEN + JOIN, range(6)) + "\n+ 5\n"
    assert root(played(script + repeated(HUNG_UP, range(6)))) == ""
    assert root(played(script + repeated("w#< close 1012\nw#< FIN", range(6)))) == "mass-close"


def back(pause: float, *, begin: float = 1) -> str:
    return f"+ {begin}\n" + repeated(f"{OPEN}+ {pause}", range(20, 32))


@pytest.mark.parametrize(("pause", "storm"), [(0.001, True), (0.02, True), (0.08, False)])
def test_clients_that_come_back_in_step(pause: float, storm: bool) -> None:
    script = repeated(OPEN + JOIN + "+ 0.3", range(12)) + "\n+ 5\n" + repeated(FIN, range(12)) + "\n" + back(pause)
    talk = played(script)
    assert (talk.found("reconnect-storm") is not None) is storm
    assert root(talk) == "mass-close"


def test_clients_that_come_together_for_the_first_time_are_no_storm() -> None:
    assert played(repeated(OPEN + JOIN, range(20)) + "\n+ 5\n" + repeated(HUNG_UP, [0]) + "\n" + back(0.001)).found(
        "reconnect-storm"
    ) is None  # fmt: skip


# ---------------------------------------------------------------- a server that goes down


def counted(number: int) -> str:
    """A session whose id ends in this counter, as a process gives them out."""
    return FIRST.replace("%s", "ABCDEFGH"[number]) + JOIN


def restarted(count: int, again: str) -> Talk:
    before = "".join(counted(number).replace("#", str(number)) for number in range(count))
    return played(before + "+ 4.3\n" + repeated(FIN, range(count)) + "\n+ 2\n" + again)


def test_ids_that_count_from_the_beginning_show_a_restart() -> None:
    talk = restarted(3, counted(0).replace("#", "9"))
    assert talk.names() == ["server-died + ws-abnormal-close + mass-close"]
    finding = only(talk, "server-died")
    assert (finding.severity, finding.certainty) == (Severity.WARNING, Certainty.CERTAIN)
    alone = restarted(1, counted(0).replace("#", "9"))
    assert only(alone, "server-died").certainty is Certainty.LIKELY  # it may have ended for another reason


def test_ids_that_go_on_show_that_the_server_lives() -> None:
    talk = restarted(3, counted(3).replace("#", "9"))
    assert talk.names() == ["mass-close + ws-abnormal-close"]


def test_a_process_that_is_killed_resets_what_it_has_not_read() -> None:
    before = "".join(counted(number).replace("#", str(number)) for number in range(3))
    script = before + "+ 4.3\n" + repeated("w#< RST", range(3)) + "\n+ 2\n" + counted(0).replace("#", "9")
    talk = played(script)
    for session in talk.sessions.sessions:
        if session.closing is not None:
            sides = session.network.sides = (SideFacts(), SideFacts())
            sides[Side.SERVER].reset = Reset(session.closing.place, 64, 64)
    assert talk.names() == ["server-died + tcp-reset + ws-abnormal-close + mass-close"]


def test_a_session_of_several_that_ends_is_no_death_even_if_the_server_is_restarted_later() -> None:
    before = "".join(counted(number).replace("#", str(number)) for number in range(4))
    script = before + "+ 5\n" + FIN.replace("#", "0") + "+ 60\n" + repeated("w#< close\nw#< FIN", [1, 2, 3])
    assert played(script + "\n+ 2\n" + counted(0).replace("#", "9")).found("server-died") is None


def test_a_server_that_says_goodbye_did_not_die() -> None:
    before = "".join(counted(number).replace("#", str(number)) + "+ 0.1\n" for number in range(4))
    script = before + "+ 5\n" + repeated("w#< close\nw#< FIN", range(4)) + "\n+ 2\n" + counted(0).replace("#", "9")
    assert played(script).names() == ["mass-close"]


# ---------------------------------------------------------------- single connections


def test_the_least_specific_comes_last() -> None:
    parts = [repeated(OPEN + JOIN + f"+ {3 + at * at / 2}\n" + FIN + "+ 1\n", [at]) for at in range(4)]
    assert played(*parts).names() == ["connect-loop + ws-abnormal-close"]
    assert played(repeated(OPEN + JOIN + "+ 3.3\n" + FIN, [1])).names() == ["ws-abnormal-close"]


@pytest.mark.parametrize("end", ["w#< close\nw#< FIN", "w#> 41\nw#> FIN", "w#> 1\nw#> FIN", "w#> FIN"])
def test_a_goodbye_or_a_client_that_is_gone_is_nothing_to_tell(end: str) -> None:
    assert played(repeated(f"{OPEN}{JOIN}+ 3\n{end}", [1])).found("ws-abnormal-close") is None


KILLED = OPEN + JOIN + "+ 3\nw#> FIN\nw#< FIN\n+ 2\n"


def test_behind_one_address_nobody_knows_who_came_back() -> None:
    alone = through("10.0.0.7").play(repeated(KILLED, range(2)))
    assert alone.found("ws-abnormal-close") is not None
    proxied = through("10.0.0.9", headers="X-Forwarded-For: 10.9.9.9\r\n").play(repeated(KILLED, range(2)))
    assert proxied.found("ws-abnormal-close") is None
    others = through("10.0.0.7").play(repeated(OPEN + JOIN, [7, 8]) + "\n" + repeated(KILLED, range(2)))
    assert others.found("ws-abnormal-close") is None


# ---------------------------------------------------------------- several sessions of one client

GROWS = OPEN + JOIN + "+ 2\n"
ALIVE = repeated('w#> 42["a"]', range(5))


def test_connections_that_grow_and_end_together_are_of_one_program() -> None:
    ends = repeated("w#> FIN\nw#< FIN", range(5))
    finding = only(played(repeated(GROWS, range(5)) + "\n" + ends), "duplicate-connections")
    assert finding.certainty is Certainty.LIKELY


def test_several_people_behind_one_address_look_alike() -> None:
    finding = only(played(repeated(GROWS, range(5)) + "\n" + ALIVE), "duplicate-connections")
    assert finding.certainty is Certainty.POSSIBLE
    assert "several tabs" in finding.doubt
    assert finding.severity is Severity.INFO


NO_DUPLICATES = {
    "three": repeated(GROWS, range(3)),
    "all at once": repeated(OPEN + JOIN, range(6)),
    "over an hour": repeated(OPEN + JOIN + BEAT * 29, range(5)),
    "one is closed before the next": repeated(GROWS + "w#> 41\nw#> close\nw#> FIN\nw#< FIN", range(6)),
    "nobody uses the old ones any more": repeated(POLL_OPEN + "+ 2", range(6)),
}


@pytest.mark.parametrize("case", NO_DUPLICATES)
def test_what_are_no_duplicates(case: str) -> None:
    assert played(NO_DUPLICATES[case]).found("duplicate-connections") is None


def test_a_proxy_has_many_clients() -> None:
    talk = through("10.0.0.9", headers="X-Forwarded-For: 10.9.9.9\r\n")
    assert talk.play(repeated(GROWS, range(5)) + "\n" + ALIVE).found("duplicate-connections") is None


def test_pages_of_different_origins_are_different_pages() -> None:
    talk = Talk()
    for number in range(5):
        talk.connect(f"w{number}", headers=f"Origin: https://page{number}.example\r\n")
    assert talk.play(repeated(GROWS, range(5)) + "\n" + ALIVE).found("duplicate-connections") is None


def test_a_session_for_each_namespace() -> None:
    script = (
        repeated(OPEN + 'w#> 40/n#,\nw#< 40/n#,{"sid":"x"}\n+ 0.5', range(4))
        + "\n"
        + repeated("w#< 2\nw#> 3", range(4))
    )
    talk = played(script)
    finding = only(talk, "no-multiplexing")
    assert finding.severity is Severity.INFO
    assert talk.found("duplicate-connections") is None


# ---------------------------------------------------------------- no answer


@pytest.mark.parametrize(("waited", "expected"), [(20, "server-silent"), (0.5, "")])
def test_a_request_that_nobody_answers(waited: float, expected: str) -> None:
    assert root(played(f"a> GET EIO=4&transport=polling\n+ {waited}\na> FIN\na< FIN")) == expected


def test_a_page_that_is_left_looks_like_a_server_that_is_silent() -> None:
    soon = only(played("a> GET EIO=4&transport=polling\n+ 2\na> FIN\na< FIN"), "server-silent")
    assert (soon.certainty, soon.severity) == (Certainty.POSSIBLE, Severity.WARNING)
    timed_out = only(played("a> GET EIO=4&transport=polling\n+ 5\na> FIN\na< FIN"), "server-silent")
    assert (timed_out.certainty, timed_out.severity) == (Certainty.CERTAIN, Severity.ERROR)


def test_a_server_that_ends_the_connection_is_not_silent() -> None:
    assert played("a> GET EIO=4&transport=polling\n+ 20\na< FIN\na> FIN").found("server-silent") is None


def test_handshakes_without_an_answer_that_loop_are_one_diagnosis() -> None:
    talk = times(4, "w#> WS EIO=4&transport=websocket\n+ 5\nw#> FIN\nw#< FIN\n+ 0.5")
    assert talk.names() == ["server-silent + connect-loop + no-backoff"]
