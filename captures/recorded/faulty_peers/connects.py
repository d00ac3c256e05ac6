# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions whose CONNECT of Socket.IO is missing, too late, or refused."""

from __future__ import annotations

from faulty_peers.peers import CLIENT_2, CLIENT_4, ENGINE_CLIENT, ENGINE_SERVER, PYTHON_5, RAW_WS, SERVER_2, SERVER_4
from faulty_peers.plans import HELLO, OPEN_AND_CONNECT, PONGS, QUICK, URL, WS_URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import (
    FROM_CLIENT,
    FROM_SERVER,
    answers,
    asks,
    client_says,
    closes,
    posts,
    server_says,
    server_tells,
)

NO_CONNECT = Rule("no-connect-packet", "SIO049")
EARLY_EVENT = Rule("event-before-connect", "SIO050")
CONNECT_ERROR_AUTH = Rule("connect-error-auth", "SIO054")

_NO_CONNECT = [
    Recording(
        NO_CONNECT,
        "v4-server-3s",
        SERVER_4,
        RAW_WS,
        "No CONNECT ever; the server, with connectTimeout 3 s, closes without a code.",
        [server_says("^0{"), client_says("^3$"), closes(FROM_SERVER)],
        lacks=[client_says("^40")],
        serve={"options": {**QUICK, "connectTimeout": 3000}},
        visit={"url": WS_URL, "answers": PONGS, "patienceMs": 6000},
    ),
    Recording(
        NO_CONNECT,
        "v4-server-45s",
        SERVER_4,
        RAW_WS,
        "A client never sends CONNECT, all defaults: one ping answered at 25 s, closed at 45 s.",
        [server_says("^0{"), client_says("^3$"), closes(FROM_SERVER)],
        lacks=[client_says("^40")],
        visit={"url": WS_URL, "answers": PONGS, "patienceMs": 50000},
    ),
    Recording(
        NO_CONNECT,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "A client never sends CONNECT to python-socketio, which would wait for it for ever: after"
        " 8 s the client leaves.",
        [server_says("^0{"), client_says("^3$"), closes(FROM_CLIENT)],
        lacks=[client_says("^40")],
        serve={"options": {"ping_interval": 2, "ping_timeout": 2}},
        visit={"url": WS_URL, "answers": PONGS, "patienceMs": 8000},
    ),
    Recording(
        NO_CONNECT,
        "engineio-only",
        ENGINE_SERVER,
        ENGINE_CLIENT,
        "Client and server on Engine.IO alone (path /engine.io/): there is no CONNECT to send.",
        [asks("/engine.io/?EIO=4"), client_says("^4plain Engine.IO$"), server_says("^4echo of")],
        lacks=[client_says("^40")],
        near_miss=True,
        serve={"role": "server", "options": QUICK},
        visit={"role": "client", "url": URL},
    ),
    Recording(
        NO_CONNECT,
        "late",
        SERVER_4,
        RAW_WS,
        "A hand-written client sends CONNECT one second after the open packet.",
        [server_says("^0{"), client_says("^40$"), server_says("^40{")],
        near_miss=True,
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [["expect", "0"], ["wait", 1000], ["send", "40"], ["expect", "40"]],
            "patienceMs": 1000,
        },
    ),
]

_EARLY_EVENT = [
    Recording(
        EARLY_EVENT,
        "v4-server",
        SERVER_4,
        RAW_WS,
        "An EVENT straight after the open packet, without CONNECT: closed at once, no code.",
        [server_says("^0{"), client_says("^42"), closes(FROM_SERVER)],
        lacks=[client_says("^40")],
        visit={"url": WS_URL, "steps": [["expect", "0"], ["send", HELLO]]},
    ),
    Recording(
        EARLY_EVENT,
        "python5-server",
        PYTHON_5,
        RAW_WS,
        "An EVENT without CONNECT on python-socketio, which drops it and says nothing.",
        [server_says("^0{"), client_says("^42"), closes(FROM_CLIENT)],
        lacks=[client_says("^40"), server_says("^4")],
        visit={"url": WS_URL, "steps": [["expect", "0"], ["send", HELLO]]},
    ),
    Recording(
        EARLY_EVENT,
        "with-connect",
        SERVER_4,
        RAW_WS,
        "CONNECT and EVENT together, before the reply to CONNECT: closed without a code.",
        [server_says("^0{"), client_says("^40$"), client_says("^42"), closes(FROM_SERVER)],
        visit={"url": WS_URL, "steps": [["expect", "0"], ["send", "40"], ["send", HELLO]]},
    ),
    Recording(
        EARLY_EVENT,
        "after-reply",
        SERVER_4,
        RAW_WS,
        "The EVENT follows the reply to CONNECT by less than a millisecond or two.",
        [client_says("^40$"), server_says("^40{"), client_says("^42"), server_says("greeting")],
        near_miss=True,
        visit={
            "url": WS_URL,
            "answers": PONGS,
            "steps": [*OPEN_AND_CONNECT, ["send", HELLO], ["expect", "42"], ["send", "41"]],
            "patienceMs": 300,
        },
    ),
]

_REFUSED = '^44{"message":"unauthorized"'
_TOKEN = {"token": "good-token"}
_TOKEN_AND_HINT = {**_TOKEN, "errorData": {"hint": "log in again"}}


def _visit_with(token: str) -> dict[str, object]:
    return {
        "url": URL,
        # 2.x has no auth: its clients put such things into the query.
        "options": {"auth": {"token": token}, "query": {"token": token}},
        "lifeMs": 2500,
        "hello": {"times": 1, "everyMs": 500},
    }


_CONNECT_ERROR = [
    Recording(
        CONNECT_ERROR_AUTH,
        "v4-server",
        SERVER_4,
        CLIENT_4,
        "A middleware refuses the token with an Error that carries data; no second try.",
        [answers(200, "^0{"), posts("^40{.*token"), server_tells(_REFUSED)],
        serve=_TOKEN_AND_HINT,
        visit=_visit_with("stale-token"),
    ),
    Recording(
        CONNECT_ERROR_AUTH,
        "python5-server",
        PYTHON_5,
        CLIENT_4,
        "python-socketio refuses the token of CONNECT with a ConnectionRefusedError and data.",
        [answers(200, "^0{"), posts("^40{.*token"), server_tells(_REFUSED)],
        serve=_TOKEN_AND_HINT,
        visit=_visit_with("stale-token"),
    ),
    Recording(
        CONNECT_ERROR_AUTH,
        "v2-server",
        SERVER_2,
        CLIENT_2,
        "A 2.x middleware refuses the token of the query: an ERROR packet with the bare message.",
        [asks("token=stale-token"), answers(200, "^[0-9]+:0{"), answers(200, ':44"unauthorized"')],
        serve=_TOKEN,
        visit=_visit_with("stale-token"),
    ),
    Recording(
        CONNECT_ERROR_AUTH,
        "v2-server-data",
        SERVER_2,
        CLIENT_2,
        "A 2.x middleware refuses with an Error that has data, which take the message's place.",
        [asks("token=stale-token"), answers(200, "^[0-9]+:0{"), answers(200, ':44{"hint"')],
        serve=_TOKEN_AND_HINT,
        visit=_visit_with("stale-token"),
    ),
    Recording(
        CONNECT_ERROR_AUTH,
        "accepted",
        SERVER_4,
        CLIENT_4,
        "A middleware accepts the token of CONNECT.",
        [posts("^40{.*token"), server_tells("^40{"), server_tells("greeting")],
        near_miss=True,
        serve=_TOKEN,
        visit=_visit_with("good-token"),
    ),
]

RECORDINGS = [*_NO_CONNECT, *_EARLY_EVENT, *_CONNECT_ERROR]
