"""A client confirms its upgrade to WebSocket without a probe.

## What it reports
A WebSocket for a session that was opened over polling, on which the client sends UPGRADE (`5`) and no probe before it.

## Why it matters
Whether that works depends on the server. Node takes it; python-engineio closes the WebSocket, and the session goes on
by polling, although the client thinks that it has left that: what it sends from then on is lost.

## On the wire
`101`, then `5` as the first frame of the client, where `2probe` has to be. Node goes on over WebSocket; python-engineio
closes with code 1000.

## How to fix
Send `2probe`, wait for `3probe`, then send `5`. arduinoWebSockets does so from 2.3.1 on.

## When it is silent
When the probe was sent and its answer not awaited: that is allowed. It is only an information when the server goes on
over the WebSocket, or the capture or the WebSocket ends within 5 s and does not show whose doing that was. When another
packet comes first, and when the capture lacks what came before.

## References
- Engine.IO protocol, "Upgrade"
- socket.io-client-csharp, issue #392; arduinoWebSockets, releases 2.3.0 and 2.3.1
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.gaps import lacks
from eiosniff.rules.phrases import NS_PER_S, quoted
from eiosniff.rules.upgrade_tries import end_words, is_accepted, over_ns

# A server that says nothing for a shorter time may have had nothing to say.
PATIENCE_NS = 5 * NS_PER_S


@rule(
    code="EIO029",
    name="upgrade-without-probe",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client upgrades to WebSocket without a probe",
    message='{client} opens a WebSocket to {server} for a session that it polls, and confirms it ("5") without a '
    "probe. {reaction}",
    why='A client has to try the WebSocket before it leaves polling: "2probe", the answer "3probe", and then "5". Some '
    "servers accept the confirmation alone, others close the WebSocket.",
    fix=('Let the client send "2probe" first, wait for "3probe", and then send "5".',),
    explains=(
        "stuck-in-polling",
        "event-before-connect",
        "no-connect-packet",
        "connect-loop",
        "no-backoff",
        "ping-missing",
        "pong-missing",
    ),
)
def upgrade_without_probe(session: Session) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        confirmed, answered, probe = attempted.confirmed, attempted.answered, attempted.probe
        if confirmed is None or answered is None or not is_accepted(attempted):
            continue
        if probe is not None and probe.number <= confirmed.number:
            continue
        if lacks(session, attempted.request.place, confirmed):  # the probe, perhaps
            continue
        proof = [
            evidence(answered.place, Side.SERVER, f"{answered.status}"),
            evidence(confirmed, Side.CLIENT, f"{quoted(b'5')}, without a probe before it"),
        ]
        refused = attempted.accepted is None and attempted.ended is not None and attempted.ended_by is Side.SERVER
        if refused and attempted.ended is not None:
            proof.append(evidence(attempted.ended, Side.SERVER, end_words(attempted)))
            reaction = f"The server {end_words(attempted)}, and the session stays on polling."
        elif attempted.accepted is not None:
            proof.append(evidence(attempted.accepted, Side.SERVER, "goes on over the WebSocket"))
            reaction = "This server takes it; others close the WebSocket."
        else:
            reaction = "The server says nothing over it."
        hurt = refused or (attempted.accepted is None and over_ns(session, attempted) - confirmed.ts_ns >= PATIENCE_NS)
        yield Hit(
            *proof,
            severity=Severity.WARNING if hurt else Severity.INFO,
            kind="taken" if attempted.accepted is not None else "refused",
            reaction=reaction,
        )
