"""The same conversation captured in front of a proxy or a NAT and behind it is one conversation."""

from eiosniff.model.attempt import Outcome
from eiosniff.model.provenance import Endpoint
from tests.unit.decode.talk_sessions import Talk

NODE = Endpoint("10.1.0.9", 3000)
OTHER_NODE = Endpoint("10.1.0.10", 3000)
PROXY_INSIDE = "10.1.0.2"
REFUSED = '{"code":5,"message":"Unsupported protocol version"}'
POLL = "GET EIO=4&transport=polling"


def _proxied(**behind: str) -> Talk:
    """Connection `a` is in front of a proxy, `b` behind it, and so are `c` and `d` for what comes later."""
    talk = Talk()
    for name in "ac":
        talk.connect(name)
    for name in "bd":
        talk.connect(name, PROXY_INSIDE, NODE, **behind)
    return talk


def _heard(talk: Talk) -> list[tuple[int | None, int]]:
    return [(packet.session, packet.stream) for packet in talk.heard]


def test_a_session_behind_a_proxy_is_a_hop_of_the_one_in_front() -> None:
    talk = _proxied()
    talk.play(f"""
        a> {POLL}&t=Pq8x0aB
        b> {POLL}&t=Pq8x0aB
        b< 200 open:S
        a< 200 open:S
        c> POST EIO=4&transport=polling&sid=S 40
        d> POST EIO=4&transport=polling&sid=S 40
        d< 200 ok
        c< 200 ok
    """)
    session = talk.close().session
    assert (session.sid, session.index, session.server.endpoint.port) == ("S", 1, 3000)
    assert [str(hop.server.endpoint) for hop in session.hops] == ["10.1.0.9:3000"]
    assert session.socketio_counts[0] == {"CONNECT": 1} == session.hops[0].socketio_counts[0]
    assert _heard(talk) == [(1, 0), (1, 1)]
    assert talk.sessions.total == 1


def test_a_refusal_is_one_on_both_sides_of_a_proxy() -> None:
    talk = _proxied()
    talk.play(f"""
        a> GET EIO=3&transport=polling&t=Pq8x0aB
        b> GET EIO=3&transport=polling&t=Pq8x0aB
        b< 400 {REFUSED}
        a< 400 {REFUSED}
    """)
    found = talk.found("eio-unsupported-polling")
    assert found is not None
    assert (found.occurrences, found.servers) == (1, ["10.0.0.2:3000"])


def test_what_the_proxy_answers_by_itself_does_not_hide_the_answer_behind_it() -> None:
    talk = _proxied()
    talk.play(f"""
        a> GET EIO=3&transport=polling&t=Pq8x0aB
        b> GET EIO=3&transport=polling&t=Pq8x0aB
        b< 400 {REFUSED}
        a< 502 <html>Bad Gateway</html>
    """)
    found = talk.found("eio-unsupported-polling")
    assert found is not None
    assert found.servers == ["10.1.0.9:3000"]


def test_a_session_that_the_proxy_keeps_to_itself_is_one_of_its_own() -> None:
    talk = _proxied()
    talk.play(f"""
        a> {POLL}&t=Pq8x0aB
        b> {POLL}&t=Pq8x0aB
        b< 200 open:S
        a< 504 <html>Gateway Timeout</html>
    """)
    session = talk.close().session
    assert (str(session.server.endpoint), session.forwarded, session.index) == ("10.1.0.9:3000", False, 1)
    assert _heard(talk) == [(1, 2)]


def test_a_session_of_a_proxy_whose_client_left_is_one_of_its_own_at_the_end() -> None:
    talk = _proxied()
    talk.play(f"""
        a> {POLL}&t=Pq8x0aB
        b> {POLL}&t=Pq8x0aB
        b< 200 open:S
    """)
    assert talk.close().session.sid == "S"
    assert _heard(talk) == [(1, 2)]


def test_two_clients_that_ask_at_the_same_time_are_two() -> None:
    talk = Talk()
    talk.connect("a", "10.0.0.7")
    talk.connect("b", "10.0.0.8")
    talk.play(f"""
        a> {POLL}&t=Pq8x0aB
        b> {POLL}&t=Pq8x0aB
        b< 200 open:S
        a< 200 open:T
    """)
    assert [session.sid for session in talk.close().sessions.sessions] == ["S", "T"]


def test_without_a_time_stamp_the_way_must_show_it() -> None:
    for header, sessions in (("", 2), ("X-Forwarded-For: 10.0.0.7\r\n", 1)):
        talk = _proxied(headers=header)
        talk.play(f"""
            a> {POLL}
            b> {POLL}
            b< 200 open:S
            a< 200 open:{"S" if sessions == 1 else "T"}
        """)
        assert len(talk.close().sessions.sessions) == sessions


def test_a_session_that_began_before_the_capture() -> None:
    talk = _proxied()
    talk.play("""
        a> GET EIO=4&transport=polling&sid=S
        b> GET EIO=4&transport=polling&sid=S
        b< 200 42["late"]
        a< 200 42["late"]
    """)
    session = talk.close().session
    assert (session.midstream, len(session.hops), session.socketio_counts[1]) == (True, 1, {"EVENT": 1})


def test_a_client_that_goes_on_at_another_address_of_the_server() -> None:
    talk = Talk()
    talk.connect("a")
    talk.connect("w", server=OTHER_NODE)
    talk.play(f"""
        a> {POLL}
        a< 200 open:S
        w> WS EIO=4&transport=websocket&sid=S
        w< 101
        w> 2probe
        w< 3probe
        w> 5
        w> 40
    """)
    session = talk.close().session
    assert session.upgraded is not None
    assert [use.stream for use in session.connections] == [0, 1]
    assert not session.midstream


def test_an_attempt_in_front_knows_what_became_of_it_behind() -> None:
    talk = _proxied()
    talk.play("""
        a> WS EIO=4&transport=websocket&t=Pq8x0aB
        b> GET EIO=4&transport=websocket&t=Pq8x0aB
        b< 400 {"code":3,"message":"Bad request"}
        a< 400 {"code":3,"message":"Bad request"}
    """)
    talk.close()
    (attempt,) = [
        attempt for client in talk.sessions.clients.values() for tally in client.attempts.values() for attempt in tally
    ]
    assert attempt.outcome is Outcome.REFUSED
    assert attempt.request.upgrade
    assert attempt.hop is not None
    assert not attempt.hop.request.upgrade  # the proxy left it out


def test_three_hops_are_one_session() -> None:
    talk = _proxied()
    talk.connect("e", NODE.address, OTHER_NODE)
    talk.play(f"""
        a> {POLL}&t=Pq8x0aB
        b> {POLL}&t=Pq8x0aB
        e> {POLL}&t=Pq8x0aB
        e< 200 open:S
        b< 200 open:S
        a< 200 open:S
    """)
    session = talk.close().session
    assert session.server.endpoint.address == "10.0.0.2"
    assert sorted(hop.server.endpoint.address for hop in session.hops) == ["10.1.0.10", "10.1.0.9"]
    assert len(talk.heard) == 1
