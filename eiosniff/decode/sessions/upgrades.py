"""The tries of a session to go on over WebSocket, into its ledger (Engine.IO protocol, "Upgrade")."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio.packets import parse_error_body
from eiosniff.decode.facts import answer_facts, query_of, request_facts
from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.engineio import PING, PONG, UPGRADE, EioPacket
from eiosniff.model.http import BODY_KEPT, HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import MAX_UPGRADES, Session
from eiosniff.model.tcp import EndKind

_TARGET: Final = b"transport=websocket"
_PROBE: Final = b"probe"
_SAID_BYTES: Final = 80


class Upgrades:
    """The tries of one session that are under way, by their connections."""

    __slots__ = ("_session", "under_way")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.under_way: dict[Conversation, UpgradeTry] = {}

    def ask(self, conversation: Conversation, request: HttpRequest, upgrade: bool) -> None:
        """A request of the session; a try if it asks for a WebSocket, by its query or by its header."""
        if not upgrade and _TARGET not in request.target:
            return
        session = self._session
        facts = request_facts(request, query_of(request), upgrade, conversation.channel)
        attempted = UpgradeTry(facts, after_last=conversation.last_answer)
        session.upgrade_count += 1
        if len(session.upgrades) == MAX_UPGRADES:  # the last one is more telling than the last but one
            session.upgrades.pop()
        session.upgrades.append(attempted)
        self.under_way[conversation] = attempted
        if len(self.under_way) > MAX_UPGRADES:
            del self.under_way[next(iter(self.under_way))]

    def answered(self, conversation: Conversation, response: HttpResponse, refused: bool = False) -> UpgradeTry | None:
        """The HTTP answer to a try, or what the server wrote into the WebSocket after it: returns the try if it is the
        first that it wrote there."""
        attempted = self.under_way.get(conversation)
        if attempted is None and refused:  # an answer without its end comes when the connection is over
            attempted = self._unanswered(conversation.channel, response)
        if attempted is None:
            return None
        facts = answer_facts(response)
        if response.status != 101 and not response.accepts_websocket:
            facts.body = response.body[:BODY_KEPT]
            attempted.error = parse_error_body(response.body, response.header(b"content-type")) if refused else None
            if not response.inside_websocket:
                self.under_way.pop(conversation, None)
        attempted.refused = attempted.refused or refused
        if not response.inside_websocket:
            attempted.answered = facts
            return None
        first = attempted.inside is None
        attempted.inside = attempted.inside or facts
        return attempted if first else None

    def _unanswered(self, channel: int, response: HttpResponse) -> UpgradeTry | None:
        for attempted in self._session.upgrades:
            if attempted.request.channel == channel and attempted.answered is None and not response.complete:
                return attempted
        return None

    def said(self, conversation: Conversation, packet: EioPacket, poll: PacketRef | None) -> None:
        """A packet on the WebSocket of a try; `poll` is the GET of the session that is under way."""
        attempted = self.under_way.get(conversation)
        if attempted is None:
            return
        probes = packet.data == _PROBE
        if packet.side is not CLIENT:
            if packet.type == PONG and probes and attempted.probe_answered is None:
                attempted.probe_answered = packet.place
                attempted.poll = poll if attempted.confirmed is None else None
            if attempted.confirmed is not None:
                attempted.accepted = packet.place
                del self.under_way[conversation]
            return
        if attempted.confirmed is not None:
            return
        if attempted.first is None:
            text = packet.data[:_SAID_BYTES]
            attempted.first = packet.place
            attempted.first_text = b"%d%s" % (packet.type, text) if packet.type >= 0 and not packet.binary else text
        if packet.type == PING and probes:
            attempted.probe = attempted.probe or packet.place
        elif packet.type == UPGRADE:
            attempted.confirmed = packet.place

    def is_refused_by(self, side: Side, conversation: Conversation) -> bool:
        """Whether a side that ends a connection refuses a confirmation with it: a server that has answered no probe,
        and said nothing since. (So does python-engineio if there was no probe; the session stays on polling.)"""
        attempted = self.under_way.get(conversation)
        return (
            side is SERVER
            and attempted is not None
            and attempted.confirmed is not None
            and attempted.probe_answered is None
        )

    def polled(self, asked: PacketRef) -> None:
        """A GET of the session begins."""
        for attempted in self.under_way.values():
            if attempted.probe_answered is not None and attempted.confirmed is None:
                attempted.polls_meanwhile += 1
                attempted.poll, attempted.poll_answered = asked, None

    def poll_answered(self, asked: PacketRef, place: PacketRef) -> None:
        """A GET of the session was answered."""
        for attempted in self.under_way.values():
            if attempted.poll is not None and attempted.poll.number == asked.number and attempted.confirmed is None:
                attempted.poll_answered = place

    def ended(self, channel: int, place: PacketRef, by: Side, how: EndKind | None, code: int | None = None) -> None:
        """A side ended the connection of a try; `how` is None for a close frame."""
        for attempted in self._session.upgrades:
            if attempted.request.channel == channel and attempted.ended is None:
                attempted.ended, attempted.ended_by = place, by
                attempted.ended_how, attempted.code = how, code

    def over(self, conversation: Conversation) -> None:
        """A connection is over."""
        self.under_way.pop(conversation, None)
