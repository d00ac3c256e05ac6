"""The TCP connection does not come about.

## What it reports
Connections of a client to a Socket.IO server (or, in a capture without any, to any server) that are refused, or never
answered.

## Why it matters
Nothing listens at that address and port, or something between drops the packets; no message of Socket.IO is ever sent.

## On the wire
SYN answered by RST: the host is there and nothing listens on the port. SYN sent again at growing intervals and never
answered: a firewall drops it, or the host is not there.

## How to fix
Refused: start the server, check port and address (`localhost` on a phone or in an emulator is the phone itself: use
10.0.2.2 in the Android emulator, or the computer's address in the network), and that it listens on 0.0.0.0 and not on
127.0.0.1 only. Unanswered: firewall, security group, wrong network.

## When it is silent
For refused connections to other servers in a capture that does contain Socket.IO, and for a single refusal that is
followed by a connection.

## References
- RFC 9293, section 3.10.7 (a SYN to a closed port is answered by RST)
- socket.io-client issue #1558
"""

from collections.abc import Iterator
from typing import NamedTuple

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary, ConnectFailure
from eiosniff.rules.api import Hit, evidence, rule


class _Words(NamedTuple):
    verdict: str
    detail: str
    reason: str
    advice: str


REFUSED = _Words(
    "nothing listens there",
    "refused at once (RST)",
    "The host answers with RST: nothing listens on that port.",
    "Check that the server runs, on which port, and that it listens on 0.0.0.0 and not only on 127.0.0.1. On a phone "
    "or in an emulator localhost is the device itself (Android emulator: 10.0.2.2).",
)
UNANSWERED = _Words(
    "no answer",
    "not answered",
    "The packets get no answer at all: a firewall drops them, or the host is not there.",
    "Check address, firewall and security group; try the port from the client's network (nc -vz host port).",
)


@rule(
    code="TCP101",
    name="tcp-refused",
    subject=CaptureSummary,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The connection does not come about: {verdict}",
    message="{client} tries to connect to {server}: {detail}.",
    why="Without a TCP connection no request is ever sent. {reason}",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff"),
)
def tcp_refused(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    engineio_seen = summary.engineio_connections > 0
    for group in summary.failed_connects:
        meant = engineio_seen or group.asked_for_it
        if engineio_seen and not group.speaks_engineio and not group.asked_for_it:
            continue
        if group.recovered:
            continue
        refused = group.failure is ConnectFailure.REFUSED
        proof = []
        for failed in group.tally:
            proof.append(evidence(failed.syn, Side.CLIENT, failed.told or "SYN"))
            if failed.last != failed.syn:
                text = "RST" if refused else f"the SYN again, without an answer ({failed.repeats} times)"
                proof.append(evidence(failed.last, Side.SERVER if refused else Side.CLIENT, text))
        words = REFUSED if refused else UNANSWERED
        yield Hit(
            *proof,
            certainty=Certainty.CERTAIN if meant else Certainty.LIKELY,
            doubt="" if meant else "no connection shows that this is meant to be Socket.IO",
            occurrences=group.tally.count,
            period_ns=group.tally.period_ns,
            kind=words.verdict,
            client=group.client,
            server=group.server,
            verdict=words.verdict,
            detail=words.detail,
            reason=words.reason,
            advice=words.advice,
        )
