"""The peers of a whole capture, at once."""

from eiosniff import knowledge
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Endpoint
from tests.unit.knowledge.peers import client, open_packet, request, server, session

SID = "R5o4c1JbKfGu73ukAAAA"


def test_each_peer_is_named_by_its_own_sessions() -> None:
    old = client(request("/socket.io/?EIO=3&transport=polling", "User-Agent: arduino-WebSocket-Client"))
    new = client(request("/socket.io/?EIO=4&transport=polling&t=b05mm1i1", "User-Agent: node-XMLHttpRequest"))
    here = server(open_packet("sid,upgrades,pingInterval,pingTimeout", SID, 25000, 5000))
    there = Server(Endpoint("192.0.2.3", 80), open_packet("sid,upgrades,pingTimeout,pingInterval", SID))
    new.server = there.endpoint
    knowledge.identify(
        [old, new], [here, there], [session(old, here, asked="3", spoken=4), session(new, there, asked="4", spoken=4)]
    )
    assert [str(peer.identity) for peer in (old, new, here, there)] == [
        "arduinoWebSockets",
        "socket.io-client (Node) 4.8 or later",
        "socket.io 3.0",
        "python-socketio 5.0 to 5.11",
    ]


def test_peers_that_nothing_tells_stay_without_a_name() -> None:
    nobody, nowhere = client(request("/socket.io/?EIO=4&transport=polling", "Host: h")), server()
    knowledge.identify([nobody], [nowhere], [])
    assert nobody.identity is None
    assert nowhere.identity is None
