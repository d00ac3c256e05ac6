"""Clients by what they send."""

import pytest

from eiosniff.knowledge import identify_client
from eiosniff.model.attempt import RequestFacts
from eiosniff.model.session import Session
from tests.unit.knowledge.documented import HANDSHAKES, NODE, SESSIONS, URL, pings, talks
from tests.unit.knowledge.peers import client, request


@pytest.mark.parametrize(
    ("handshake", "expected"),
    HANDSHAKES,
    ids=lambda value: value.target if isinstance(value, RequestFacts) else value or "nobody",
)
def test_named_by_its_handshake(handshake: RequestFacts, expected: str | None) -> None:
    identity = identify_client(client(handshake), [])
    assert (str(identity) if identity else None) == expected


@pytest.mark.parametrize(("ledger", "expected"), SESSIONS.values(), ids=SESSIONS)
def test_named_by_its_session(ledger: Session, expected: str) -> None:
    assert str(identify_client(ledger.client, [ledger])) == expected


@pytest.mark.parametrize("lack", ["gap", "beginning"])
def test_nobody_is_accused_where_the_capture_lacks_something(lack: str) -> None:
    ledger = talks(request(URL, *NODE))
    ledger.namespaces.clear()
    if lack == "gap":
        ledger.gaps.append(7)
    else:
        ledger.midstream = True
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 3.0 or later"


@pytest.mark.parametrize("lack", ["gap", "beginning"])
def test_a_board_is_not_new_by_pings_that_were_not_captured(lack: str) -> None:
    ledger = talks(request(URL, "User-Agent: arduino-WebSocket-Client", "Upgrade: websocket"))
    assert str(identify_client(ledger.client, [ledger])) == "arduinoWebSockets 2.3.3 or later"
    if lack == "gap":
        ledger.gaps.append(7)
    else:
        ledger.midstream = True
    assert str(identify_client(ledger.client, [ledger])) == "arduinoWebSockets"


def test_a_client_of_engineio_alone_need_not_join() -> None:
    ledger = talks(request("/engine.io/?EIO=4&transport=websocket", *NODE))
    ledger.path = "/engine.io/"
    ledger.namespaces.clear()
    assert str(identify_client(ledger.client, [ledger])) == "socket.io-client (Node) 3.0 or later"


def test_a_ping_tells_of_all_sessions_of_the_client() -> None:
    good = talks(request(URL, *NODE))
    bad = pings(talks(request(URL, *NODE)))
    assert str(identify_client(good.client, [good, bad])) == "a client on Node's ws package"
