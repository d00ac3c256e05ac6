# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions whose clients ask for the wrong namespace, in the wrong way, or twice."""

from __future__ import annotations

from faulty_peers.peers import PYTHON_5, RAW_POLLING, RAW_WS, SERVER_3_1, Peer
from faulty_peers.plans import CONNECT, HELLO, OPEN_AND_CONNECT, URL, WEBSOCKET_ONLY, WS_URL, WS_URL_3, Step, by_hand
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import FROM_SERVER, answers, client_says, closes, posts, server_says

INVALID = Rule("namespace-invalid", "SIO051")
NOT_JOINED = Rule("namespace-not-joined", "SIO052")
DOUBLE = Rule("double-connect", "SIO053")
MISPLACED = Rule("auth-misplaced", "SIO055")

NAMESPACES_4 = Peer("socket.io", "4.8.4", "namespace_server.js", ("socket.io@4.8.4",))
NAMESPACES_2 = Peer("socket.io", "2.5.1", "namespace_server.js", ("socket.io@2.5.1",))
VISITOR_4 = Peer("socket.io-client", "4.8.4", "namespace_client.js", ("socket.io-client@4.8.4",))
VISITOR_2 = Peer("socket.io-client", "2.5.0", "namespace_client.js", ("socket.io-client@2.5.0",))

_CHAT = {"namespaces": ["/chat"]}
_HELLO_CHAT = '42/chat,["hello","word"]'


def _asks_for(*names: str) -> dict[str, object]:
    return {"url": URL, "options": WEBSOCKET_ONLY, "namespaces": list(names), "says": True, "lifeMs": 700}


def _by_hand(*steps: Step, url: str = WS_URL) -> dict[str, object]:
    return {"url": url, "steps": [*steps, ["wait", 300]], "patienceMs": 700}


_INVALID = [
    Recording(
        INVALID,
        "v4-server",
        NAMESPACES_4,
        VISITOR_4,
        "The client asks for /Chat at a server that has /chat: 44 with an object.",
        [client_says("^40/Chat,$"), server_says('^44/Chat,{"message":"Invalid namespace"}')],
        serve=_CHAT,
        visit=_asks_for("", "/Chat"),
    ),
    Recording(
        INVALID,
        "v4-server-slash",
        NAMESPACES_4,
        VISITOR_4,
        "The client asks for /chat/ at a server that has /chat, and for nothing else.",
        [client_says("^40/chat/,$"), server_says("^44/chat/,.*Invalid namespace")],
        serve=_CHAT,
        visit=_asks_for("/chat/"),
    ),
    Recording(
        INVALID,
        "v2-server",
        NAMESPACES_2,
        VISITOR_2,
        "The same at a server of 2.x: an ERROR packet with a bare string.",
        [client_says("^40/api"), server_says('^44/api,"Invalid namespace"')],
        visit=_asks_for("", "/api"),
    ),
    Recording(
        INVALID,
        "python5-server",
        PYTHON_5,
        VISITOR_4,
        "python-socketio has no handler for the namespace: 44 with the words Unable to connect.",
        [client_says("^40/chat,$"), server_says('^44/chat,"Unable to connect"')],
        visit=_asks_for("/chat"),
    ),
    Recording(
        INVALID,
        "served",
        NAMESPACES_4,
        VISITOR_4,
        "The client asks for a namespace that the server has, in its spelling.",
        [client_says("^40/chat,$"), server_says('^40/chat,{"sid"'), server_says("^42/chat,.*greeting")],
        near_miss=True,
        serve=_CHAT,
        visit=_asks_for("", "/chat"),
    ),
]

_NOT_JOINED = [
    Recording(
        NOT_JOINED,
        "v4-server",
        NAMESPACES_4,
        RAW_WS,
        "The client joins the main namespace and sends an event in /chat: closed without a code.",
        [server_says("^40{"), client_says("^42/chat,"), closes(FROM_SERVER)],
        lacks=[client_says("^40/chat")],
        serve=_CHAT,
        visit=_by_hand(*OPEN_AND_CONNECT, ["send", _HELLO_CHAT]),
    ),
    Recording(
        NOT_JOINED,
        "v4-server-left",
        NAMESPACES_4,
        RAW_WS,
        "The client leaves /chat and sends an event there: closed without a code.",
        [server_says("^40/chat,{"), client_says("^41/chat,"), client_says("^42/chat,"), closes(FROM_SERVER)],
        serve=_CHAT,
        visit=_by_hand(
            *OPEN_AND_CONNECT,
            ["send", "40/chat,"],
            ["expect", "40/chat"],
            ["send", "41/chat,"],
            ["wait", 100],
            ["send", _HELLO_CHAT],
        ),
    ),
    Recording(
        NOT_JOINED,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The same at python-socketio, which drops the event and goes on.",
        [server_says("^40{"), client_says("^42/chat,"), client_says('^42."hello'), server_says("greeting")],
        lacks=[closes(FROM_SERVER)],
        visit=_by_hand(*OPEN_AND_CONNECT, ["send", _HELLO_CHAT], ["send", HELLO], ["expect", "42"], ["send", "41"]),
    ),
    Recording(
        NOT_JOINED,
        "v2-server",
        NAMESPACES_2,
        RAW_WS,
        "A client of revision 3 does not ask for /chat, and a server of 2.x drops its event there.",
        [server_says("^40$"), client_says("^42/chat,"), client_says('^42."hello'), server_says("greeting")],
        serve=_CHAT,
        visit=_by_hand(["expect", "40"], ["send", _HELLO_CHAT], ["send", HELLO], ["expect", "42"], url=WS_URL_3),
    ),
    Recording(
        NOT_JOINED,
        "joined",
        NAMESPACES_4,
        RAW_WS,
        "The client joins /chat, and no other namespace, before it sends an event there.",
        [client_says("^40/chat,$"), server_says("^40/chat,{"), client_says("^42/chat,"), server_says("greeting")],
        near_miss=True,
        serve=_CHAT,
        visit=_by_hand(
            ["expect", "0"],
            ["send", "40/chat,"],
            ["expect", "40/chat"],
            ["send", _HELLO_CHAT],
            ["expect", "42/chat"],
            ["send", "41/chat,"],
        ),
    ),
]

_DOUBLE = [
    Recording(
        DOUBLE,
        "v4-server",
        NAMESPACES_4,
        RAW_WS,
        "A second CONNECT for the namespace that the client is in: closed without a code.",
        [client_says("^40$"), server_says("^40{"), client_says("^40$"), closes(FROM_SERVER)],
        visit=_by_hand(*OPEN_AND_CONNECT, ["send", "40"]),
    ),
    Recording(
        DOUBLE,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The same at python-socketio: the second CONNECT gets 44, and the session goes on.",
        [
            server_says("^40{"),
            client_says("^40$"),
            server_says("^44.*Unable"),
            client_says("^42"),
            server_says("greet"),
        ],
        lacks=[closes(FROM_SERVER)],
        visit=_by_hand(*OPEN_AND_CONNECT, ["send", "40"], ["send", HELLO], ["expect", "42"], ["send", "41"]),
    ),
    Recording(
        DOUBLE,
        "v3-server",
        SERVER_3_1,
        RAW_WS,
        "The same at socket.io 3.1: it lets the client in twice.",
        [client_says("^40$"), server_says("^40{"), client_says("^40$"), server_says("^40{")],
        visit=_by_hand(*OPEN_AND_CONNECT, ["send", "40"], ["wait", 200], ["send", "41"]),
    ),
    Recording(
        DOUBLE,
        "v4-server-rejoins-at-once",
        NAMESPACES_4,
        RAW_POLLING,
        "The client leaves /chat and joins it anew in one POST: the server reads both before it acts, and closes.",
        [posts("^40/chat,$"), answers(200, "^40/chat,{"), posts("^41/chat,.40/chat,$"), answers(200, "^1$")],
        serve=_CHAT,
        visit=by_hand(
            *CONNECT, ["post", "40/chat,"], ["get"], ["hang"], ["wait", 100], ["post", "41/chat,\x1e40/chat,"]
        ),
    ),
    Recording(
        DOUBLE,
        "left-between",
        NAMESPACES_4,
        RAW_WS,
        "The client leaves /chat and joins it anew in one session, 0.2 s later.",
        [server_says("^40/chat,{"), client_says("^41/chat"), client_says("^40/chat"), server_says("^40/chat,{")],
        near_miss=True,
        serve=_CHAT,
        visit=_by_hand(
            *OPEN_AND_CONNECT,
            ["send", "40/chat,"],
            ["expect", "40/chat"],
            ["send", "41/chat,"],
            ["wait", 200],
            ["send", "40/chat,"],
            ["expect", "40/chat"],
        ),
    ),
]

_MISPLACED = [
    Recording(
        MISPLACED,
        "v4-server",
        NAMESPACES_4,
        RAW_WS,
        "A token behind the name of the namespace, as in revision 4: an invalid namespace.",
        [client_says(r"^40/chat\?token="), server_says(r"^44/chat\?token=.*Invalid namespace")],
        serve={**_CHAT, "token": "good"},
        visit=_by_hand(["expect", "0"], ["send", "40/chat?token=good,"]),
    ),
    Recording(
        MISPLACED,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "The same in the main namespace of python-socketio: it drops the query, and its application"
        " refuses the client.",
        [client_says(r"^40/\?token="), server_says('^44{"message":"unauthorized"')],
        serve={"token": "good", "errorData": {}},
        visit=_by_hand(["expect", "0"], ["send", "40/?token=good,"]),
    ),
    Recording(
        MISPLACED,
        "v2-server",
        NAMESPACES_2,
        RAW_WS,
        "A client of revision 3 sends its token in an object after 40, where 2.x does not look: it"
        " is refused before, and gets no answer.",
        [server_says('^44"unauthorized"'), client_says("^40{.*token")],
        lacks=[server_says("^40")],
        serve={"token": "good"},
        visit=_by_hand(["expect", "44"], ["send", '40{"token":"good"}'], url=WS_URL_3),
    ),
    Recording(
        MISPLACED,
        "v2-server-namespace",
        NAMESPACES_2,
        RAW_WS,
        "The same in /chat, which is open to everybody: the client is let in all the same.",
        [server_says("^40$"), client_says("^40/chat,{.*token"), server_says("^40/chat")],
        serve=_CHAT,
        visit=_by_hand(["expect", "40"], ["send", '40/chat,{"token":"good"}'], url=WS_URL_3),
    ),
    Recording(
        MISPLACED,
        "v2-in-place",
        NAMESPACES_2,
        RAW_WS,
        "A client of revision 3 joins /chat with a token in the query behind the name, and is let in.",
        [server_says("^40$"), client_says(r"^40/chat\?token="), server_says("^40/chat")],
        near_miss=True,
        serve={"namespaces": ["/chat"]},
        visit=_by_hand(["expect", "40"], ["send", "40/chat?token=good"], ["expect", "40/chat"], url=WS_URL_3),
    ),
]

RECORDINGS = [*_INVALID, *_NOT_JOINED, *_DOUBLE, *_MISPLACED]
