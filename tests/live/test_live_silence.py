"""Peers that freeze (SIGSTOP): the heartbeat that does not come is told, by the clock where nothing else tells."""

import time

import pytest
from faulty_peers.peers import CLIENT_2, CLIENT_4, SERVER_2, SERVER_4

from tests.live.cast import serve, visit
from tests.live.watcher import found, instant_ns, proof_ns

pytestmark = pytest.mark.interop

INTERVAL_MS, TIMEOUT_MS = 700, 1500
BEATS = {"pingInterval": INTERVAL_MS, "pingTimeout": TIMEOUT_MS}
# After the last heartbeat: until there is one to answer, and before anybody loses patience.
ANOTHER_BEAT_S = 0.9
# A limit that has passed is told so late at most: packets may come late, and silence is looked at once a second.
PATIENCE_MS = 1500


def a_session(lab, watch, server=SERVER_4, client=CLIENT_4):
    peers = {"server": serve(lab, server, options=BEATS)}
    watcher = watch()
    peers["client"] = visit(lab, client, options={"transports": ["websocket"], "reconnection": False})
    watcher.wait_for("session-opened")
    return watcher, peers


@pytest.mark.parametrize(
    ("who", "rule", "server", "client"),
    [
        ("client", "pong-missing", SERVER_4, CLIENT_4),
        ("server", "ping-missing", SERVER_4, CLIENT_4),
        ("server", "pong-missing", SERVER_2, CLIENT_2),
    ],
    ids=["client-4", "server-4", "server-2"],
)
def test_the_other_side_loses_patience(lab, watch, who, rule, server, client):
    watcher, peers = a_session(lab, watch, server, client)
    peers[who].freeze()
    told = watcher.wait_for(found(rule))
    assert told.event["diagnosis"]["certainty"] == "certain"
    assert told.read_ns - proof_ns(told.event) < 1e9
    (closed,) = watcher.of("session-closed")
    assert closed["session"]["closed_by"] != who


@pytest.mark.parametrize(
    ("first", "second", "rule", "limit_ms"),
    [
        ("client", "server", "pong-missing", TIMEOUT_MS),
        ("server", "client", "ping-missing", INTERVAL_MS + TIMEOUT_MS),
    ],
)
def test_nobody_is_there_to_lose_patience(lab, watch, first, second, rule, limit_ms):
    watcher, peers = a_session(lab, watch)
    time.sleep(ANOTHER_BEAT_S)
    peers[first].freeze()
    time.sleep(ANOTHER_BEAT_S)
    peers[second].freeze()
    told = watcher.wait_for(found(rule))
    assert not watcher.of("session-closed")
    beat = told.event["diagnosis"]["evidence"][0]
    assert 'PING "2"' in beat["text"]
    late_ms = (told.read_ns - instant_ns(beat["time"])) / 1e6 - limit_ms
    print(f"\n{rule}: {late_ms:.0f} ms after the limit")
    assert 0 < late_ms < PATIENCE_MS
    assert watcher.end()["diagnoses"][0]["name"] == rule
