"""The requests of a session that wait for an answer: which of them overlap, and which were cut off."""

from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.sessions import fleet
from eiosniff.model.attempt import CutRequest, RefusedRequest
from eiosniff.model.http import HttpRequest
from eiosniff.model.provenance import CLIENT, NO_PACKET, SERVER, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.tcp import EndKind

POLLS_UNDER_WAY: Final = 16  # connections of one session: a client has two requests under way at most


@final
@mypyc_attr(acyclic=True)
class Poll:
    """A request that waits. `before` is the last packet of the session before it; `overlaps` another request of the
    same method that was not answered when this one came, if there was one; `after` the answer before it on its
    connection; `too_late` that the server had ended that."""

    __slots__ = ("after", "asked", "before", "overlaps", "post", "too_late")

    def __init__(
        self,
        asked: PacketRef,
        post: bool,
        before: PacketRef,
        overlaps: PacketRef | None,
        after: PacketRef | None = None,
        too_late: bool = False,
    ) -> None:
        self.asked = asked
        self.post = post
        self.before = before
        self.overlaps = overlaps
        self.after = after
        self.too_late = too_late


NO_POLL: Final = Poll(NO_PACKET, False, NO_PACKET, None)


class Polls:
    """The requests under way of one session, by their connections.

    `early` is a request that was answered before all of it had come, and is still to be told of.
    """

    __slots__ = ("_alone", "_hung_up", "_session", "early", "under_way")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alone: RefusedRequest | None = None  # the last POST that was refused and seemed to be alone
        # The server, when nothing waited there: on which channel (the connection itself would stay with the session).
        self._hung_up: tuple[int, PacketRef, EndKind] | None = None
        self.early: HttpRequest | None = None
        self.under_way: dict[Conversation, Poll] = {}

    @property
    def busy(self) -> bool:
        """Whether one waits whose connection is not over."""
        return any(not conversation.over for conversation in self.under_way)

    def ask(
        self, conversation: Conversation, first: PacketRef, asked: PacketRef, post: bool, over: bool = False
    ) -> None:
        """A request of the session, from its first packet to its last. That of a slow body is told of late: another
        one may have begun after it, and even have been refused for it, or it may be over (`over`): answered itself, or
        cut off.
        """
        polls = self.under_way
        overlaps: PacketRef | None = None
        for other, poll in polls.items():
            if poll.post != post:
                continue
            if not other.ended[CLIENT]:
                overlaps = poll.asked
            if poll.overlaps is None and first.number < poll.asked.number:
                poll.overlaps = first
        if post and self._alone is not None and first.number < self._alone.request.number:
            self._alone.overlaps = first
            self._alone = None
        if over:
            return
        late = conversation.ended[SERVER]
        polls[conversation] = Poll(asked, post, self._session.last, overlaps, conversation.answered, late)
        if len(polls) > POLLS_UNDER_WAY:
            del polls[next(iter(polls))]
        conversation.polled = self._session
        if late and conversation.ended[CLIENT]:  # reset, while the rest of the request was still on its way
            self.cut(conversation, asked, SERVER, EndKind.RST)

    def answer(self, conversation: Conversation) -> Poll:
        """A request of the session was answered; returns what was known of it."""
        poll = self.under_way.pop(conversation, None)
        return Poll(NO_PACKET, False, self._session.last, None) if poll is None else poll

    def refused(self, refusal: RefusedRequest) -> None:
        """A request of the session was refused."""
        if refusal.asked.method == "POST" and refusal.overlaps is None:
            self._alone = refusal

    def pending_get(self) -> PacketRef | None:
        """The GET that waits for its answer, if one does."""
        found: PacketRef | None = None
        for conversation, poll in self.under_way.items():
            if not poll.post and not conversation.over:
                found = poll.asked
        return found

    def cut(self, conversation: Conversation, place: PacketRef, by: Side, how: EndKind) -> None:
        """A side ended a connection."""
        poll = self.under_way.get(conversation)
        if poll is None:
            if by is SERVER:
                self._hung_up = conversation.channel, place, how
        elif poll.too_late or not conversation.ended[by.other]:
            by = SERVER if poll.too_late else by
            self._cut(CutRequest(poll.asked, place, by, how, poll.post, poll.after, poll.too_late))

    def was_answered(self, request: HttpRequest) -> bool:
        """Whether a request that is told of now was answered already, before all of it had come."""
        if self.early is not request:
            return False
        self.early = None
        return True

    def ask_in_vain(self, conversation: Conversation, request: HttpRequest) -> bool:
        """Whether a request was still on its way when the server ended its connection: then it is cut off."""
        if self._hung_up is None or not conversation.ended[SERVER] or self._hung_up[0] != conversation.channel:
            return False
        channel, place, how = self._hung_up
        if channel != conversation.channel or request.first.number >= place.number:
            return False
        self._cut(CutRequest(request.first, place, SERVER, how, request.method == b"POST"))
        return True

    def _cut(self, cut: CutRequest) -> None:
        if not cut.too_late:
            fleet.poll_cut(self._session, cut)
        self._session.polls_cut.add(cut, cut.end.ts_ns)
