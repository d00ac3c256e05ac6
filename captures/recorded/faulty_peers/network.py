# SPDX-License-Identifier: GPL-2.0-or-later
"""What the network does to a session: resets, connections that are half open, closed windows, losses, delays."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

from lab import Lab, RelayPlan

from faulty_peers.peers import CLIENT_2, CLIENT_4, PIECEMEAL, PYTHON_5, SERVER_2, SERVER_4
from faulty_peers.plans import ONCE_WEBSOCKET, URL, WEBSOCKET_ONLY
from faulty_peers.stage import Recording, Rule, Stage
from faulty_peers.wire import (
    ASKS_WEBSOCKET,
    FROM_CLIENT,
    FROM_SERVER,
    client_says,
    resets,
    retransmits,
    server_says,
)

RESET = Rule("tcp-reset", "TCP102")
HALF_OPEN = Rule("half-open", "TCP103")
ZERO_WINDOW = Rule("zero-window", "TCP104")
LOSS = Rule("loss-latency", "TCP105")
DELAYED = Rule("nagle-delayed-ack", "TCP106")
SLOW_CONSUMER = Rule("slow-consumer", "TCP115")

_BACKEND = "10.78.0.2"
_PATIENT = {"pingInterval": 1000, "pingTimeout": 6000}
_RECONNECTS = {"url": URL, "options": {**WEBSOCKET_ONLY, "reconnectionDelay": 500}, "lifeMs": 6000}
_CLOSED = "tcp.analysis.zero_window"
_OPENED = f"{FROM_CLIENT} && tcp.analysis.window_update"


def _router(stage: Stage) -> str:
    """The server's host becomes a router with the server behind it; returns the name of the host of that."""
    lab, name = stage.lab, f"{stage.lab.namespace('server')}-behind"
    subprocess.run(["ip", "netns", "add", name], check=True)
    script = f"""
        ip link add inside mtu 1500 type veth peer name eth0 netns {name}
        for off in rx tx sg tso gso gro; do ethtool -K inside $off off; done
        ip address add 10.78.0.1/24 dev inside; ip link set inside up
        ip -n {name} address add {_BACKEND}/24 dev eth0; ip -n {name} link set eth0 up
        ip -n {name} route add default via 10.78.0.1
        for off in rx tx sg tso gso gro; do ip netns exec {name} ethtool -K eth0 $off off; done
        sysctl -q net.ipv4.ip_forward=1
        iptables -t nat -A PREROUTING -p tcp --dport 3000 -j DNAT --to {_BACKEND}
    """
    lab.run("server", ["sh", "-ec", script])
    return name


def _firewall_resets(stage: Stage) -> None:
    """A router between the two forgets the connection and answers the client's next packet with RST."""
    name = _router(stage)
    try:
        server = stage.recording.server
        argv = ["nsenter", f"--net=/run/netns/{name}", *server.argv(stage.recording.serve)]
        stage.lab.start("server", argv, env=server.env())
        with stage.capture(side="client"):
            client = stage.start_client()
            time.sleep(2.5)
            rule = "iptables -I FORWARD -p tcp --dport 3000 -j REJECT --reject-with tcp-reset"
            stage.lab.run("server", ["sh", "-ec", f"{rule}; sleep 1.2; iptables -D FORWARD 1"])
            client.wait(timeout=20)
            time.sleep(0.3)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def _server_is_killed(stage: Stage) -> None:
    """The server is killed while the client's words wait in its kernel, which resets the connection then."""
    server = stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.2)
        server.freeze()
        time.sleep(0.9)
        server.send(signal.SIGKILL)
        time.sleep(1)
        client.stop()


def _is_forgotten(seconds: float) -> Callable[[Stage], None]:
    """Nothing of the first connection passes any more, as behind a NAT that has forgotten it; new ones do."""

    def play(stage: Stage) -> None:
        stage.start_server()
        with stage.capture():
            client = stage.start_client()
            time.sleep(1.4)
            port = "$(ss -Htn state established 'dport = :3000' | awk '{print $3}' | sed 's/.*://')"
            drop = "iptables -I OUTPUT -p tcp --sport $p -j DROP; iptables -I INPUT -p tcp --dport $p -j DROP"
            stage.lab.run("client", ["sh", "-ec", f"p={port}; {drop}"])
            time.sleep(seconds)
            client.stop()
            time.sleep(0.3)

    return play


def _stops_reading(seconds: float, *, comes_back: bool) -> Callable[[Stage], None]:
    """The client is stopped for so long while the server sends; its host keeps only a few KB for it."""

    def play(stage: Stage) -> None:
        _little_room(stage)
        stage.start_server()
        with stage.capture():
            client = stage.start_client()
            time.sleep(0.8)
            client.freeze()
            time.sleep(seconds)
            if comes_back:
                client.thaw()
                client.wait(timeout=20)
            time.sleep(0.3)

    return play


def _outage(stage: Stage) -> None:
    """Nothing passes for 1.5 s."""
    stage.start_server()
    with stage.capture():
        client = stage.start_client()
        time.sleep(1.6)
        stage.lab.relay.cut()
        time.sleep(1.5)
        stage.lab.relay.mend()
        time.sleep(4)
        client.stop()
        time.sleep(0.3)


def _little_room(stage: Stage) -> None:
    """A receive buffer as small boards have it."""
    stage.lab.run("client", ["sysctl", "-qw", "net.ipv4.tcp_rmem=4096 4096 4096"])


def _reads_slowly(stage: Stage) -> None:
    _little_room(stage)
    stage.whole_visit()


_RESETS = [
    Recording(
        RESET,
        "firewall",
        SERVER_4,
        CLIENT_4,
        "A router between the two answers a packet of the client with a RST in the server's name (iptables, REJECT"
        " --reject-with tcp-reset), as a firewall that has forgotten the connection does. Its TTL is not the server's.",
        [ASKS_WEBSOCKET, server_says("^2$"), client_says("^3$"), resets(FROM_SERVER), ASKS_WEBSOCKET],
        serve={"options": _PATIENT},
        visit={**_RECONNECTS, "hello": {"times": 12, "everyMs": 400}},
        play=_firewall_resets,
    ),
    Recording(
        RESET,
        "server-killed",
        SERVER_4,
        CLIENT_4,
        "The server is killed (SIGKILL) with words of the client unread: its system resets the connection.",
        [ASKS_WEBSOCKET, client_says("hello"), resets(FROM_SERVER)],
        serve={"options": _PATIENT},
        visit={**ONCE_WEBSOCKET, "hello": {"times": 10, "everyMs": 300}, "lifeMs": 6000},
        play=_server_is_killed,
    ),
]

_HALF_OPEN = [
    Recording(
        HALF_OPEN,
        "forgotten-by-a-nat",
        SERVER_4,
        CLIENT_4,
        "From one moment on nothing of the connection passes (iptables, DROP), as behind a NAT that has forgotten it:"
        " the server sends again and again, the client comes back over another port.",
        [server_says("^2$"), client_says("^3$"), *[retransmits(FROM_SERVER)] * 4, ASKS_WEBSOCKET],
        serve={"options": {"pingInterval": 1000, "pingTimeout": 4000}},
        visit={**_RECONNECTS, "lifeMs": 20000},
        play=_is_forgotten(9),
    ),
    Recording(
        HALF_OPEN,
        "python5-server",
        PYTHON_5,
        CLIENT_4,
        "The same at python-socketio.",
        [server_says("^2$"), client_says("^3$"), *[retransmits(FROM_SERVER)] * 4],
        serve={"options": {"ping_interval": 1, "ping_timeout": 4}},
        visit={**_RECONNECTS, "lifeMs": 20000},
        play=_is_forgotten(9),
    ),
    Recording(
        HALF_OPEN,
        "v2-server",
        SERVER_2,
        CLIENT_2,
        "Revision 3: the client's pings do not arrive any more, and the event that the server sends every second is"
        " sent again and again.",
        [client_says("^2$"), server_says("^3$"), *[retransmits(FROM_SERVER)] * 4],
        serve={
            "options": {"pingInterval": 1000, "pingTimeout": 4000},
            "flood": {"afterMs": 500, "everyMs": 700, "bytes": 30, "times": 12},
        },
        visit={**_RECONNECTS, "lifeMs": 20000},
        play=_is_forgotten(8),
    ),
    Recording(
        HALF_OPEN,
        "short-outage",
        SERVER_4,
        CLIENT_4,
        "The wire is dead for a second and a half: the server's ping is sent again three times and arrives.",
        [server_says("^2$"), *[retransmits(FROM_SERVER)] * 2, client_says("^3$")],
        near_miss=True,
        serve={"options": {"pingInterval": 1000, "pingTimeout": 4000}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 9000},
        play=_outage,
        relay=RelayPlan(),
    ),
]


_FLOOD = {"afterMs": 400, "everyMs": 100, "bytes": 1200, "times": 12}
_CLOSES = [server_says("flood"), f"{FROM_CLIENT} && {_CLOSED}"]

_WINDOWS = [
    Recording(
        ZERO_WINDOW,
        "client-stopped",
        SERVER_4,
        CLIENT_4,
        "The client is stopped for 2.5 s while the server sends 15 KB: its receive window goes to 0, and opens again.",
        [*_CLOSES, _OPENED, client_says("^3$")],
        serve={"options": _PATIENT, "flood": _FLOOD},
        visit={**ONCE_WEBSOCKET, "lifeMs": 5200},
        play=_stops_reading(2.5, comes_back=True),
    ),
    Recording(
        ZERO_WINDOW,
        "until-ping-timeout",
        SERVER_4,
        CLIENT_4,
        "The client is stopped for good: the server's pings wait behind what it does not read, until pingTimeout.",
        [*_CLOSES, f"{FROM_CLIENT} && {_CLOSED}"],
        serve={"options": {"pingInterval": 1000, "pingTimeout": 2000}, "flood": _FLOOD},
        visit={**ONCE_WEBSOCKET, "lifeMs": 9000},
        play=_stops_reading(5, comes_back=False),
    ),
    Recording(
        ZERO_WINDOW,
        "short",
        SERVER_4,
        CLIENT_4,
        "The client is stopped for 0.7 s: its window is closed for less than a second.",
        [*_CLOSES, _OPENED],
        near_miss=True,
        serve={"options": _PATIENT, "flood": {**_FLOOD, "afterMs": 850, "everyMs": 20}},
        visit={**ONCE_WEBSOCKET, "lifeMs": 3500},
        play=_stops_reading(0.7, comes_back=True),
    ),
    Recording(
        SLOW_CONSUMER,
        "busy-client",
        SERVER_4,
        CLIENT_4,
        "The client's event loop is held for 0.9 s out of each second, and the server sends 8 KB a second: the window"
        " closes again and again.",
        [*_CLOSES, _OPENED],
        times=3,
        serve={"options": _PATIENT, "flood": {"afterMs": 300, "everyMs": 120, "bytes": 1000, "times": 25}},
        visit={**ONCE_WEBSOCKET, "busy": {"everyMs": 1000, "forMs": 900}, "lifeMs": 7000},
        play=_reads_slowly,
    ),
]

_STALL = [f"{FROM_SERVER} && tcp.len == 0 && tcp.analysis.ack_rtt > 0.03", client_says("hello")]

_AGAIN = "tcp.analysis.retransmission || tcp.analysis.out_of_order"  # it calls what comes again soon so

_POOR = [
    Recording(
        LOSS,
        "lossy-wire",
        SERVER_4,
        CLIENT_4,
        "A wire that loses one frame in five, each way: what is lost is sent again, and pongs come a second late.",
        [server_says("^2$"), _AGAIN, client_says("^3$")],
        times=2,
        serve={"options": {"pingInterval": 700, "pingTimeout": 6000}},
        visit={**ONCE_WEBSOCKET, "hello": {"times": 14, "everyMs": 500}, "lifeMs": 16000},
        relay=RelayPlan(loss=0.2, delay_ms=150, seed=11),
    ),
    Recording(
        LOSS,
        "few-losses",
        SERVER_4,
        CLIENT_4,
        "A wire that loses one frame in twenty-five: a segment or two come late.",
        [server_says("^2$"), client_says("^3$")],
        near_miss=True,
        serve={"options": {"pingInterval": 1500, "pingTimeout": 6000}},
        visit={**ONCE_WEBSOCKET, "hello": {"times": 10, "everyMs": 400}, "lifeMs": 6000},
        relay=RelayPlan(loss=0.04, seed=3),
    ),
    Recording(
        DELAYED,
        "frames-in-pieces",
        SERVER_4,
        PIECEMEAL,
        "A client by hand that writes the header of a frame, its type and its text one by one, as libraries for small"
        " boards do: the second waits until the server's system acknowledges the first, 40 ms later.",
        _STALL,
        times=5,
        visit={"host": Lab.server_ip, "events": 12, "everyMs": 20},
    ),
    Recording(
        DELAYED,
        "no-delay",
        SERVER_4,
        PIECEMEAL,
        "The same client with TCP_NODELAY: all three leave at once.",
        [client_says("hello"), server_says("well received")],
        times=5,
        near_miss=True,
        visit={"host": Lab.server_ip, "events": 12, "everyMs": 20, "noDelay": True},
    ),
]

RECORDINGS = [*_RESETS, *_HALF_OPEN, *_WINDOWS, *_POOR]
