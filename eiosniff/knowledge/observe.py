"""What a ledger shows of a peer, as texts under fixed names: what fingerprints are conditions on.

What sessions show is gathered from those in memory; of one that is let go it is folded into the ledgers of its client
and server, and that of a client into the ledger of its server. So a peer is named alike with and without folding.
"""

from collections.abc import Iterable

from eiosniff.model.attempt import Outcome, RequestFacts
from eiosniff.model.engineio import OpenPacket
from eiosniff.model.http import text_of
from eiosniff.model.peers import Client, Server
from eiosniff.model.provenance import Side
from eiosniff.model.session import MAX_REVISIONS, Session
from eiosniff.model.tally import NS_PER_MS, NS_PER_S

YES = "yes"
HTTP_SWITCHING = 101  # RFC 9110, section 15.2.2
HTTP_TOO_LARGE = 413  # RFC 9110, section 15.5.14

# A client library asks to join right after the open packet; whoever has not done so by then does not mean to.
_CONNECT_DUE_NS = NS_PER_S
# arduinoWebSockets pings every 20 s (EIO_HEARTBEAT_INTERVAL), if it does.
_OWN_PING_DUE_NS = 21 * NS_PER_S
# How soon a server closes for what the client has just sent, and how much later than its time limit it may do so.
_AT_ONCE_NS = NS_PER_S


def of_client(client: Client, sessions: Iterable[Session]) -> dict[str, str]:
    """Observations of a client.

    `polling.*` and `websocket.*`: `method`, `path`, `query` (parameter names in order, comma-separated), `t` (its
    value), `eio`, `user-agent`, `origin`, `subprotocol`, `extensions`, `headers` (names in order, lower case,
    comma-separated); absent where there was no such request. `user-agent`: of any request.
    `client-pings-in-eio4`: it asked for revision 4 and sent a ping of its own; `never-pings-in-eio4`: it did not, for
    longer than arduinoWebSockets would have waited. `upgrades-without-probe`: it confirmed an upgrade without having
    probed it. `breaks-protocol`: it did what no client library does, see `_breaks_protocol`. `recovers`: it asked for
    the missed packets of an earlier session (connection state recovery).
    """
    seen: dict[str, str] = {}
    if client.user_agent:
        seen["user-agent"] = client.user_agent
    for kind, request in (("polling", client.polling_request), ("websocket", client.websocket_request)):
        if request is not None:
            seen.update({f"{kind}.{name}": text for name, text in _request(request).items()})
    if any(attempt.client_said and attempt.answer for group in client.attempts.values() for attempt in group):
        seen["breaks-protocol"] = YES  # it spoke before the server had opened a session
    for session in sessions:
        seen.update(_of_its_client(session))
    seen.update(client.marks)
    return seen


def fold_session(session: Session) -> None:
    """Keep what a session that is let go shows of its peers."""
    session.client.marks.update(_of_its_client(session))
    server = session.server
    server.marks.update(_of_its_server(session))
    note_revisions(session)


def note_revisions(session: Session) -> None:
    """Keep in the ledger of the server which revisions a session asked for and spoke, and where it was opened."""
    known, revisions, opened = session.server.revisions, _revisions(session), session.opened
    before = known.get(revisions)
    if before is None:
        if len(known) < MAX_REVISIONS:
            known[revisions] = opened
    elif opened.number < before.number:
        known[revisions] = opened


def fold_client(client: Client, server: Server) -> None:
    """Keep what a client that is let go shows of its server."""
    answers = _Answers(server)
    answers.add(client)
    server.marks.update(answers.seen)
    for revision in answers.revisions:
        if len(server.refused) < MAX_REVISIONS:
            server.refused[revision] = None


def _of_its_client(session: Session) -> dict[str, str]:
    seen = {
        "client-pings-in-eio4": _pings_in_eio4(session),
        "never-pings-in-eio4": _never_pings_in_eio4(session),
        "upgrades-without-probe": any(upgrade.first_text == b"5" for upgrade in session.upgrades),
        "breaks-protocol": _breaks_protocol(session),
        "recovers": _recovers(session),
    }
    return {name: YES for name, is_so in seen.items() if is_so}


def _of_its_server(session: Session) -> dict[str, str]:
    namespaces = session.namespaces.values()
    seen = {
        "unasked-connect": any(namespace.unasked for namespace in namespaces),
        "sid-is-socket-id": bool(session.sid) and any(namespace.socket_id == session.sid for namespace in namespaces),
        "recovers": _recovers(session),
        "outlives-pong": _outlives_pong(session),
        "closes-at-unjoined": _closes_at_unjoined(session),
    }
    for refused in session.refusals:
        if refused.error is None and not refused.answered.body:
            if refused.overlaps is not None:
                seen[f"overlap-{refused.status}"] = True
            elif refused.asked.method == "POST" and refused.status == HTTP_TOO_LARGE:
                seen["too-large-413"] = True
    return {name: YES for name, is_so in seen.items() if is_so}


def _revisions(session: Session) -> str:
    asked = session.claimed_eio or ("?" if session.midstream else "-")
    return f"{asked}:{session.revisions[Side.SERVER] or '?'}"


def _request(request: RequestFacts) -> dict[str, str]:
    seen = {
        "method": request.method,
        "path": request.path,
        "query": ",".join(name for name, _ in request.query),
        "headers": ",".join(name.lower() for name in request.header_names),
        "user-agent": request.user_agent,
    }
    optional = {
        "eio": request.eio,
        "t": next((value for name, value in request.query if name == "t"), None),
        "origin": request.origin,
        "subprotocol": request.subprotocol,
        "extensions": request.extensions,
    }
    return seen | {name: value for name, value in optional.items() if value is not None}


def _pings_in_eio4(session: Session) -> bool:
    """Whether the client asked for revision 4 and pings all the same.

    A client of revision 3 at a server that answers in revision 4 unasked (socket.io 3.0) does nothing wrong.
    """
    return session.claimed_eio == "4" and any(beat.side is Side.CLIENT for beat in session.heartbeats.reversed)


def _never_pings_in_eio4(session: Session) -> bool:
    if session.claimed_eio != "4" or not session.on_websocket or session.midstream or session.gaps:
        return False
    beats = session.heartbeats
    pinged = beats.reversed.count or (beats.pings and session.pinger is Side.CLIENT)  # the server may speak another one
    return not pinged and session.observed_until_ns - session.opened.ts_ns >= _OWN_PING_DUE_NS


def _breaks_protocol(session: Session) -> bool:
    """Whether the client did what no library does that calls itself a client of this protocol.

    It sent messages that are no Engine.IO packet or are of no known type, a ping in revision 4, an event on a namespace
    that it had not joined, no CONNECT for a second (revision 4), or not one ping (revision 3). Not judged where the
    capture lacks something: what is missing may be what the client did send.
    """
    if session.midstream or session.gaps:
        return False
    if session.foreign[Side.CLIENT] or session.odd[Side.CLIENT] or _pings_in_eio4(session):
        return True
    if session.claimed_eio == "4":
        early = any(namespace.early_events for namespace in session.namespaces.values())
        return early or _never_connects(session)
    return _never_pings(session)


def _never_connects(session: Session) -> bool:
    if (session.path or "").startswith("/engine.io") or not session.on_websocket:
        return False  # a client of Engine.IO alone; a polling session that nobody goes on with is another fault
    if session.engineio_counts[Side.SERVER].get("message") and not session.socketio_counts[Side.SERVER]:
        return False  # nor does the server speak Socket.IO
    asked = any(namespace.connect for namespace in session.namespaces.values())
    return not asked and session.observed_until_ns - session.opened.ts_ns >= _CONNECT_DUE_NS


def _never_pings(session: Session) -> bool:
    interval = session.handshake.ping_interval_ms if session.handshake else None
    if interval is None or session.revisions[Side.SERVER] != 3 or not session.on_websocket:
        return False
    observed_ns = session.observed_until_ns - session.opened.ts_ns
    return session.heartbeats.pings == 0 and observed_ns >= 2 * interval * NS_PER_MS


def _outlives_pong(session: Session) -> bool:
    """Whether a server of revision 4 went on after the time for the pong to its ping was over.

    Before engine.io 6.6 any packet of the client does as well as a pong.
    """
    pending, handshake, last = session.heartbeats.pending, session.handshake, session.last_from[Side.SERVER]
    if pending is None or handshake is None or handshake.ping_timeout_ms is None or last is None:
        return False
    if session.revisions[Side.CLIENT] == 3 or session.engineio != 4 or session.gaps or session.one_direction:
        return False
    due_ns = pending.ping.ts_ns + handshake.ping_timeout_ms * NS_PER_MS + _AT_ONCE_NS
    closing = session.closing
    return due_ns < last.ts_ns and (closing is None or due_ns < closing.place.ts_ns)


def _closes_at_unjoined(session: Session) -> bool:
    """Whether a server of revision 4 closes the session right after an event on a namespace that was not joined."""
    closing = session.closing
    if closing is None or closing.side is Side.CLIENT or closing.after_goodbye or session.engineio != 4:
        return False
    early = [place for namespace in session.namespaces.values() for place in namespace.early_events]
    return any(0 <= closing.place.ts_ns - place.ts_ns <= _AT_ONCE_NS for place in early)


def _recovers(session: Session) -> bool:
    return any("pid" in namespace.auth_keys for namespace in session.namespaces.values())


def of_server(server: Server, sessions: Iterable[Session], clients: Iterable[Client]) -> dict[str, str]:
    """Observations of a server.

    `open-keys` (names in the open packet, in order), `ping-interval`, `ping-timeout`, `max-payload`, `sid`;
    `revisions`: for each session what the client asked for and what the server speaks, such as `3:3,4:4` (`-` for a
    client that did not say, `?` where nothing tells); `refused-revisions`: those that it refuses to speak;
    `error-style`, `error-code` (highest seen), `error-text`, `refuses-after-101`, `foreign-answer` (the beginning of
    one that is not Engine.IO), `upgrade-headers` (names in the last 101, as sent, in order), `unasked-connect`,
    `sid-is-socket-id`, `recovers` (see `of_client`), `overlap-500`, `overlap-400` and `too-large-413` (a bare answer to
    a request of a session that overlapped another, or whose body was too large), `outlives-pong` (see
    `_outlives_pong`), `closes-at-unjoined` (see there), and the marks of `decode/facts.py`: `server`, `via`, `sid-09`
    (that it gave out in Socket.IO 0.9), `cache-control`, `set-cookie`, `uwebsockets`, `post-ok`,
    `allows-credentials-only`, `refusal-headers` (names as sent, in order).
    """
    seen: dict[str, str] = dict(server.marks)
    if server.handshake is not None:
        seen.update(_open(server.handshake))
    revisions = set(server.revisions)
    for session in sessions:
        revisions.add(_revisions(session))
        seen.update(_of_its_server(session))
    if revisions:
        seen["revisions"] = ",".join(sorted(revisions))
    answers = _Answers(server)
    for client in clients:
        answers.add(client)
    seen.update(answers.seen)
    if answers.revisions:
        seen["refused-revisions"] = ",".join(sorted(answers.revisions))
    return seen


class _Answers:
    """How a server answers handshakes: what is known of clients that were let go, and what others add to it."""

    def __init__(self, server: Server) -> None:
        self.seen = {name: server.marks[name] for name in ("error-code",) if name in server.marks}
        self.revisions = dict(server.refused)

    def add(self, client: Client) -> None:
        for group in client.attempts.values():
            for attempt in group:
                error = attempt.error
                if error is not None and attempt.outcome in (Outcome.REFUSED, Outcome.REFUSED_AFTER_101):
                    self.seen["error-text"] = error.message
                    if error.code is not None:
                        self.seen["error-code"] = str(max(error.code, int(self.seen.get("error-code", error.code))))
                    if error.code == 5 or "nsupported" in error.message:
                        self.revisions[attempt.request.eio or "-"] = None
                if attempt.outcome is Outcome.FOREIGN and attempt.body:
                    self.seen["foreign-answer"] = text_of(attempt.body)
                if attempt.outcome is Outcome.REFUSED_AFTER_101:
                    self.seen["refuses-after-101"] = YES
                if attempt.answered is not None and attempt.answered.status == HTTP_SWITCHING:
                    self.seen["upgrade-headers"] = ",".join(attempt.answered.header_names)


def _open(handshake: OpenPacket) -> dict[str, str]:
    numbers = {
        "ping-interval": handshake.ping_interval_ms,
        "ping-timeout": handshake.ping_timeout_ms,
        "max-payload": handshake.max_payload,
    }
    known = {name: str(number) for name, number in numbers.items() if number is not None}
    return {"sid": handshake.sid, "open-keys": ",".join(handshake.keys), **known}
