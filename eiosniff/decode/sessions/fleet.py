"""What the sessions of one server do together, into its ledger, and how the WebSockets of a client broke off.

All of it comes in the order of the captured packets. Nothing here depends on when a ledger is let go.
"""

from typing import Final

from eiosniff.model.attempt import AnswerFacts, CutRequest, RequestFacts
from eiosniff.model.fleet import (
    ARRIVALS_NS,
    BACK_NS,
    BURST_NS,
    MAX_ARRIVALS,
    MAX_BURSTS,
    MAX_CUTS,
    MAX_HOWS,
    Burst,
    Cut,
    Loss,
    Losses,
)
from eiosniff.model.peers import Client, Server
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.model.tally import NS_PER_MS, NS_PER_S, Tally
from eiosniff.model.tcp import EndKind

_GOING_AWAY: Final = 1001  # RFC 6455, section 7.4.1
_POLL_CUT: Final = "poll without an answer"
_OTHERWISE: Final = "other ends"
_CLOSES: Final = {EndKind.FIN: CloseHow.FIN, EndKind.RST: CloseHow.RST}
_HOWS: Final[dict[CloseHow, str]] = {how: how.value for how in CloseHow}
# Servers are not exact to the millisecond.
_SLACK: Final = 0.95
# A single end is no event that others could answer to.
_FEWEST_OF_A_BURST: Final = 2
_DEFAULT_SILENCE_NS: Final = 45 * NS_PER_S
_LEAST_SILENCE_NS: Final = 10 * NS_PER_S
_MOST_SILENCE_NS: Final = 120 * NS_PER_S


def opened(session: Session) -> None:
    """A session begins."""
    if not session.forwarded and not session.socketio09:
        session.server.fleet.open[session] = None


def ended(session: Session, closing: Closing) -> None:
    """A session has ended."""
    if session.forwarded or session.socketio09:
        return
    fleet = session.server.fleet
    fleet.ended += 1
    if not _is_heard(session):
        forget(session)
        return
    side, how = closing.side, closing.how
    broke_off = not closing.after_goodbye and how in (CloseHow.FIN, CloseHow.RST)
    cut = (
        broke_off
        or (how is CloseHow.UNSEEN and not closing.after_goodbye)
        or (not closing.after_goodbye and closing.code == _GOING_AWAY)
    )
    if side is CLIENT and not broke_off:  # nor where nobody knows how
        forget(session)
        return
    since = _last_before(session, closing.place)
    overdue = _is_overdue(session, closing.place)
    if side is SERVER and overdue and _was_given_up(session, closing.place):
        fleet.abandoned = fleet.abandoned or Tally()
        fleet.abandoned.add(closing.place, closing.place.ts_ns)
    burst = _note_end(session, side, closing.place)
    forget(session)
    _describe(burst, session.opened, _words(closing), since, overdue)
    if not cut:
        return
    if broke_off or how is CloseHow.UNSEEN:
        burst.cut += 1
    _note_cut(session, closing.place, side, how, since, overdue, poll=False)
    if broke_off and session.on_websocket and not overdue and not session.gaps:
        _note_loss(session.client, Loss(closing.place, side, how, since, session.opened))


def poll_cut(session: Session, cut: CutRequest) -> None:
    """A side ended the connection of a request that waited for its answer; the session may go on over another one."""
    how = _CLOSES.get(cut.how)
    if session.forwarded or session.closing is not None or cut.post or how is None or cut.by is CLIENT:
        return
    if not _is_heard(session):
        forget(session)
        return
    since = _last_before(session, cut.end)
    since = max(since, cut.request)
    overdue = _is_overdue(session, cut.end)
    burst = _note_end(session, SERVER, cut.end)
    forget(session)
    burst.cut += 1
    _describe(burst, session.opened, _POLL_CUT, since, overdue)
    _note_cut(session, cut.end, SERVER, how, since, overdue, poll=True)


def attempted(client: Client, server: Server | None, place: PacketRef) -> None:
    """A client asks for a session."""
    losses = client.losses
    if losses is not None and losses.gone is not None:
        gone = losses.gone
        losses.gone = None
        if place.ts_ns - gone.place.ts_ns <= BACK_NS:
            gone.back = place
            losses.by[CLIENT].add(gone, gone.place.ts_ns)
    if server is None:
        return
    for burst in reversed(server.fleet.bursts):
        if place.ts_ns - burst.last.ts_ns > ARRIVALS_NS:
            return
        if burst.count >= _FEWEST_OF_A_BURST:
            if len(burst.arrivals) < MAX_ARRIVALS:
                burst.arrivals.append(place)
            return


def _is_heard(session: Session) -> bool:
    """Whether the capture holds what both sides say: else the end may be the answer to a goodbye."""
    heard = session.last_from
    return not session.midstream or (heard[CLIENT] is not None and heard[SERVER] is not None)


def forget(session: Session) -> None:
    """A session is over, or was let go."""
    session.server.fleet.open.pop(session, None)


def patience_ns(session: Session) -> int:
    """How long a session may be silent before it is over, although nothing ended it: its server's pingInterval and
    pingTimeout, after which it takes the client for dead; the defaults of socket.io 4 where the capture lacks them."""
    handshake = session.handshake
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return _DEFAULT_SILENCE_NS
    announced = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * NS_PER_MS
    return min(max(announced, _LEAST_SILENCE_NS), _MOST_SILENCE_NS)


def _count_alive(session: Session, place: PacketRef) -> int:
    """How many sessions a server has when one of them ends. Of those over polling nobody may see the end."""
    count = 0
    for other in session.server.fleet.open:
        silent_ns = place.ts_ns - other.last.ts_ns
        if other is session or other.on_websocket or silent_ns <= patience_ns(other):
            count += 1
    return count


def _note_end(session: Session, side: Side, place: PacketRef) -> Burst:
    """The burst that an end belongs to."""
    bursts = session.server.fleet.bursts
    found: Burst | None = None
    for burst in reversed(bursts):
        if burst.side is side:
            found = burst
            break
    if found is None or place.ts_ns - found.first.ts_ns > BURST_NS or found.first < session.opened:
        request, answered = _handshake(session)
        found = Burst(side, place, _count_alive(session, place), request, answered)
        if len(bursts) == MAX_BURSTS:  # the smallest goes, of these the newest
            smallest = MAX_BURSTS - 1
            for at in range(MAX_BURSTS - 2, -1, -1):
                if bursts[at].count < bursts[smallest].count:
                    smallest = at
            del bursts[smallest]
        bursts.append(found)
    found.last = place
    found.count += 1
    return found


def _describe(burst: Burst, opened: PacketRef, how: str, since: PacketRef, overdue: bool) -> None:
    silence_ns = max(0, burst.last.ts_ns - since.ts_ns)
    age_ns = max(0, burst.last.ts_ns - opened.ts_ns)
    if how not in burst.hows and len(burst.hows) >= MAX_HOWS:
        how = _OTHERWISE
    burst.hows[how] = burst.hows.get(how, 0) + 1
    if overdue:
        burst.overdue += 1
    alone = burst.count == 1
    burst.shortest_silence_ns = silence_ns if alone else min(burst.shortest_silence_ns, silence_ns)
    burst.longest_silence_ns = max(burst.longest_silence_ns, silence_ns)
    burst.youngest_ns = age_ns if alone else min(burst.youngest_ns, age_ns)
    burst.oldest_ns = max(burst.oldest_ns, age_ns)
    begun, latest = burst.opened
    burst.opened = (opened.ts_ns if alone else min(begun, opened.ts_ns), max(latest, opened.ts_ns))


def _note_cut(
    session: Session, place: PacketRef, side: Side, how: CloseHow, since: PacketRef, overdue: bool, poll: bool
) -> None:
    """Keep a cut, if the capture lacks nothing of its session."""
    if session.gaps:
        return
    fleet = session.server.fleet
    fleet.cut_count += 1
    if len(fleet.cuts) == MAX_CUTS:
        return
    request, answered = _handshake(session)
    address, opened = session.client_endpoint.address, session.opened
    survived_ns = 0 if session.ws_pings[CLIENT] or session.ws_pings[SERVER] else session.longest_silence_ns
    fleet.cuts.append(
        Cut(
            place, side, how, since, opened, address, poll, _interval_ns(session), overdue, survived_ns,
            session.last_from[CLIENT] == since, request, answered,
        )
    )  # fmt: skip


def _note_loss(client: Client, loss: Loss) -> None:
    losses = client.losses = client.losses or Losses()
    if loss.side is SERVER:
        losses.by[SERVER].add(loss, loss.place.ts_ns)
    else:
        losses.gone = loss


def _last_before(session: Session, place: PacketRef) -> PacketRef:
    """The last packet of the session, control frames of WebSocket included."""
    last = session.last
    for tally in (*session.ws_pings, *session.ws_pongs):
        if tally.last is not None and last < tally.last:
            last = tally.last
    return last if last < place else place


def _handshake(session: Session) -> tuple[RequestFacts | None, AnswerFacts | None]:
    """What opened it, as far as the capture shows it."""
    attempt = session.attempt
    return (attempt.request, attempt.answered) if attempt is not None else (None, None)


def _interval_ns(session: Session) -> int | None:
    handshake = session.handshake
    if handshake is None or handshake.ping_interval_ms is None:
        return None
    return handshake.ping_interval_ms * NS_PER_MS


def _is_overdue(session: Session, place: PacketRef) -> bool:
    """Whether a ping, or the pong to one, should have come by then: then it is the heartbeat that failed."""
    handshake, beats = session.handshake, session.heartbeats
    interval_ns = _interval_ns(session)
    if handshake is None or interval_ns is None:
        return False
    timeout_ns = (handshake.ping_timeout_ms or 0) * NS_PER_MS
    if beats.pending is not None:
        return place.ts_ns - beats.pending.ping.ts_ns >= timeout_ns * _SLACK
    if session.pinger is CLIENT:
        return place.ts_ns - _heard(session).ts_ns >= (interval_ns + timeout_ns) * _SLACK
    since = beats.last.ping if beats.last is not None else session.opened
    return place.ts_ns - since.ts_ns >= interval_ns * (2 - _SLACK)


def _was_given_up(session: Session, place: PacketRef) -> bool:
    """Whether nothing had come from the client for as long as the server waits."""
    beats = session.heartbeats
    if session.pinger is CLIENT:
        return True
    return beats.pending is not None and _heard(session) < beats.pending.ping


def _heard(session: Session) -> PacketRef:
    return session.last_from[CLIENT] or session.opened


def _words(closing: Closing) -> str:
    if closing.how is not CloseHow.WS_CLOSE:
        return _HOWS[closing.how]
    return "close frame without a code" if closing.code is None else f"close frame, code {closing.code}"
