"""From records of connections to sessions: a session is a sid over all its connections.

Sees the records of all conversations in the order of the captured packets that completed them, and fills the ledgers
of sessions, clients and servers (`exchanges` from HTTP, `websockets` from WebSocket messages). Judges nothing.
"""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Record
from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.sessions import fleet, hung_up, payload_facts
from eiosniff.decode.sessions.endings import Watcher
from eiosniff.decode.sessions.exchanges import Exchanges
from eiosniff.decode.sessions.exchanges09 import Exchanges09
from eiosniff.decode.sessions.openings import Openings
from eiosniff.decode.sessions.peers import Retire
from eiosniff.decode.sessions.session_packets import Listener, SessionState
from eiosniff.decode.sessions.websockets import WebSockets
from eiosniff.decode.sessions.webtransports import WebTransports
from eiosniff.decode.tcp.flow import BOTH_WAYS
from eiosniff.decode.tcp.network_facts import add_to
from eiosniff.model.attempt import Attempt, EarlyFrame, Outcome, Transfer, UpgradeTry
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
from eiosniff.model.session import LARGE_MESSAGE, MAX_SESSIONS, CloseHow, Closing, Session
from eiosniff.model.tcp import EndKind, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap
from eiosniff.model.websocket import WsControl, WsMessage
from eiosniff.model.webtransport import WtClose, WtMessage, WtOpening, WtUnsupported

_ANOMALIES_OF_AN_ATTEMPT: Final = 4
_BEGIN_WEBTRANSPORT: Final = (AnomalyKind.WT_OLD_FRAMING, AnomalyKind.WT_BAD_LENGTH)
_CLOSES: Final = {EndKind.FIN: CloseHow.FIN, EndKind.RST: CloseHow.RST}


class Sessions:
    """The sessions, clients and servers of one capture: all that are active, and up to `most` of each.

    `watch` asks TCP for the acknowledgement of a ping. `listener` hears every packet (for `eiosniff decode`). `path`:
    only requests under it. `retire` is told of each ledger that is let go. `changed` takes the sessions that are
    opened, upgraded, closed, and opened again, if somebody wants to know.
    """

    def __init__(
        self,
        watch: Watcher,
        listener: Listener | None = None,
        path: str | None = None,
        most: int = MAX_SESSIONS,
        retire: Retire = lambda _: None,
        changed: set[Session] | None = None,
    ) -> None:
        self._openings = Openings(watch, listener, path, most, retire, changed)
        self._exchanges = Exchanges(self._openings)
        self._exchanges09 = Exchanges09(self._openings)
        self._websockets = WebSockets(self._openings)
        self._webtransports = WebTransports(self._openings)
        self.clients = self._openings.peers.clients
        self.servers = self._openings.peers.servers

    @property
    def sessions(self) -> list[Session]:
        """Those in memory, in the order of their opening, without those that were captured in front of a proxy too."""
        return [session for session in self._openings.states if not session.forwarded]

    @property
    def total(self) -> int:
        """How many sessions there were."""
        return self._openings.register.total

    def handle(self, conversation: Conversation, record: Record) -> None:
        """Take one record."""
        if isinstance(record, WsMessage):
            self._websockets.message(conversation, record)
        elif isinstance(record, HttpRequest):
            if not self._exchanges09.request(conversation, record):
                self._exchanges.request(conversation, record)
        elif isinstance(record, HttpResponse):
            if not self._exchanges09.response(conversation, record):
                self._exchanges.response(conversation, record)
        elif isinstance(record, StreamEnd):
            self._end(conversation, record)
        elif isinstance(record, Upgrade):
            if not self._exchanges09.upgrade(conversation, record):
                self._websockets.upgrade(conversation, record)
        elif isinstance(record, WsControl):
            self._websockets.control(conversation, record)
        elif isinstance(record, WtMessage):
            self._webtransports.message(conversation, record)
        elif isinstance(record, WtOpening):
            self._webtransports.opening(conversation, record)
        elif isinstance(record, WtUnsupported):
            self._webtransports.unsupported(conversation, record)
        elif isinstance(record, WtClose):
            self._webtransports.closed(conversation, record)
        elif isinstance(record, Anomaly):
            self._anomaly(conversation, record)
        elif isinstance(record, Gap):
            self._gap(conversation, record)
        elif isinstance(record, Desync):
            session = conversation.session
            size = max(record.end - record.start, record.announced)
            if session is not None and size >= LARGE_MESSAGE and not conversation.lossy:
                cut = Transfer(record.side, record.place, session.last, record.end - record.start, False)
                session.transfers.add(cut, session.last.ts_ns)
            if session is not None and record.announced and not conversation.lossy:
                payload_facts.note_cut(session, record)
            if session is not None and conversation.lossy:  # what a hole left cannot be read: it lacks as well
                self._openings.note_gap(session, record.side, max(record.place, session.last), conversation)
            self._lose(session or conversation.polled, record.side)

    def hung_up(self, conversation: Conversation, place: PacketRef) -> None:
        """A WebSocket has ended, and nobody knows how or by whom (`hung_up`)."""
        session = conversation.session
        state = self._openings.state_of(session)
        if state is None or state.carrier != conversation.ledger.stream:
            return
        side = hung_up.who(state.session, state.ending.goodbyes, place)
        state.ending.close(Closing(side, CloseHow.UNSEEN, place))

    def close(self) -> None:
        """The capture is over."""
        for state in self._openings.states.values():
            state.finish()
            payload_facts.finish(state)
        self._openings.register.close()
        self._openings.peers.close()

    def _end(self, conversation: Conversation, end: StreamEnd) -> None:
        for attempt in conversation.attempts.values():
            if attempt.outcome is Outcome.PENDING:
                if end.kind is not EndKind.CAPTURE_ENDED and attempt.ended is None:
                    attempt.ended, attempt.ended_by, attempt.ended_how = end.place, end.side, end.kind
                if conversation.over:
                    outcome = Outcome.UNANSWERED
                    attempt.repeats = conversation.flow.direction(CLIENT).most_repeats
                    unread = attempt.status is None and conversation.lossy  # the answer may be among what is missing
                    if unread or conversation.lacks_server(end.place):
                        outcome = Outcome.UNSEEN
                    elif attempt.status == 101 and not conversation.lossy:
                        outcome = Outcome.SILENT_AFTER_101
                    self._openings.settle(conversation.ledger, attempt, outcome)
        if conversation.over:
            for request in (*conversation.attempts, *conversation.unknown):
                self._openings.hops.answered(request)
            conversation.attempts.clear()
            if conversation.unknown and not conversation.heard(SERVER, end.place):
                self._exchanges.take_unanswered(conversation)
            conversation.unknown.clear()
            self._note_network(conversation)
        if end.side is SERVER and end.kind is EndKind.FIN:
            conversation.last_answer = conversation.last_answer or end.place
        session, channel = conversation.session, conversation.channel
        state = self._openings.state_of(session)
        how = _CLOSES.get(end.kind)
        if state is not None and state.carrier == channel and how is not None:
            state.falls_back(end.side, conversation)
        self._note_cut(conversation, end)
        if state is None:
            return
        if conversation.over:
            state.open_websockets = max(0, state.open_websockets - 1)
        if state.carrier == channel:
            if conversation.over:
                state.session.repeats = [conversation.flow.direction(side).most_repeats for side in SIDES]
            state.end(end.side, end.place, lossy=end.kind is not EndKind.FIN)
            if how is not None:
                state.ending.close(Closing(end.side, how, end.place))
            elif conversation.over:
                fleet.forget(state.session)  # nobody saw its end

    def _note_network(self, conversation: Conversation) -> None:
        """What TCP shows of a connection that is over, for the sessions that it carried."""
        if conversation.parent is not None:
            return
        own, flow = conversation.session or conversation.polled, conversation.flow
        for carried in conversation.carried if own is None else {**conversation.carried, own: None}:
            if carried in self._openings.states:
                if flow.heard != BOTH_WAYS:
                    carried.one_direction = True
                if flow.network is not None:
                    add_to(carried.network, flow.network, flow.client or 0, flow.reset or flow.last)

    def _note_cut(self, conversation: Conversation, end: StreamEnd) -> None:
        """What was under way for a session on a connection that ends."""
        session = conversation.session or conversation.polled
        state = self._openings.state_of(session)
        if state is None:
            return
        if end.kind is EndKind.FIN and end.side is SERVER:
            payload_facts.note_hang_up(state.session, end.place)
        if end.kind is not EndKind.CAPTURE_ENDED:
            state.polls.cut(conversation, end.place, end.side, end.kind)
            state.upgrades.ended(conversation.channel, end.place, end.side, end.kind)
        if conversation.over:
            state.upgrades.over(conversation)

    def _anomaly(self, conversation: Conversation, anomaly: Anomaly) -> None:
        if anomaly.kind in _BEGIN_WEBTRANSPORT:
            self._webtransports.anomaly(conversation, anomaly)
        session = conversation.session or conversation.polled
        state = self._openings.state_of(session)
        # A body without its end is no fault of Engine.IO: what it would have held was not said.
        if state is not None and (conversation.session or anomaly.kind is not AnomalyKind.HTTP_INCOMPLETE):
            state.anomaly(anomaly)
        elif state is not None:
            state.session.unreadable[anomaly.side] += 1
        for attempt in conversation.attempts.values():
            if len(attempt.anomalies) < _ANOMALIES_OF_AN_ATTEMPT:
                attempt.anomalies.append(anomaly)
        if anomaly.kind is AnomalyKind.WS_BEFORE_101 and conversation.early_frame is None:
            self._note_early_frame(conversation, state, anomaly.place)

    def _note_early_frame(self, conversation: Conversation, state: SessionState | None, place: PacketRef) -> None:
        """A client sends a frame before the 101: over HTTP, servers take it for a request."""
        attempt = next(reversed(conversation.attempts.values()), None)
        asked: Attempt | UpgradeTry | None = attempt
        if attempt is not None:
            forwarded = attempt.forwarded
            client = self._openings.peers.client(conversation.ledger, attempt.request.user_agent)
        elif state is not None:
            asked = state.upgrades.under_way.get(conversation) or state.session.attempt
            forwarded = state.session.forwarded
            client = state.session.client
        else:
            return
        if asked is not None and not forwarded:
            conversation.early_frame = EarlyFrame(asked, place)
            client.early_frames.add(conversation.early_frame, place.ts_ns)

    def _gap(self, conversation: Conversation, gap: Gap) -> None:
        conversation.lossy = True
        if conversation.upgrade is not None:
            self._webtransports.lost(conversation)
        session = conversation.session or conversation.polled
        if session is None:  # what is missing may have been said in the session that these two have
            session = self._openings.register.latest.get(conversation.ledger.peers)
        if session is not None:
            self._openings.note_gap(session, gap.side, gap.place, conversation)
            self._lose(session, gap.side)

    def _lose(self, session: Session | None, side: Side) -> None:
        state = self._openings.state_of(session)
        if state is not None:
            state.lose(side)
