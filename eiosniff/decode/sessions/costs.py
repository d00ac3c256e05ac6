"""What the requests of a session and their answers cost, into its ledger."""

from typing import Final

from eiosniff.model.costs import AT_ONCE_NS, LARGE_HEAD, LATE_POLL_NS, Costs, LargeHead, LatePoll, LatePolls
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse, text_of
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import Connection, Session

_CONNECTION: Final = b"connection"
_CLOSE: Final = b"close"
_KEEP_ALIVE: Final = b"keep-alive"
_HTTP10: Final = b"1.0"
_GET: Final = b"GET"
_MESSAGE: Final = "message"


def asked(session: Session, connection: Connection, request: HttpRequest) -> None:
    """A request of the session, but for upgrades."""
    costs = session.costs
    costs.requests += 1
    if request.start == 0 and not connection.midstream:
        _connected(costs, request.first.ts_ns - connection.first.ts_ns)
    if _ends(request, request.version):
        costs.closed_by_client += 1
    size = len(request.head)
    if size > costs.largest_request:
        costs.largest_request = size
        if size >= LARGE_HEAD:
            costs.large_request = _large(request, CLIENT, len(request.target))
    before = costs.answered
    if before is not None and request.method == _GET:
        costs.answered = None
        if request.first.ts_ns - before.ts_ns >= LATE_POLL_NS:
            _late(costs, before, request.first)


def answered(session: Session, request: HttpRequest, response: HttpResponse, messages: int) -> None:
    """The answer to a request of the session, in which there were so many messages."""
    costs = session.costs
    if _ends(response, response.version) and not _ends(request, request.version):
        costs.closed_by_server += 1
        if response.version == _HTTP10:
            costs.http10 += 1
    size = len(response.head)
    if size > costs.largest_answer:
        costs.largest_answer = size
        if size >= LARGE_HEAD:
            costs.large_answer = _large(response, SERVER, 0)
    if request.method != _GET:
        return
    costs.answered = response.last
    late = costs.late
    if late is None or messages == 0 or late.polls.last is None or late.polls.last.asked is not request.first:
        return
    if response.first.ts_ns - request.last.ts_ns <= AT_ONCE_NS:
        late.events += messages


def messages_of(session: Session) -> int:
    """How many messages the server has sent in a session."""
    return session.engineio_counts[1].get(_MESSAGE, 0)


def _connected(costs: Costs, took_ns: int) -> None:
    took_ns = max(0, took_ns)  # the clock may have been set back
    if costs.connections == 0 or took_ns < costs.set_up_least_ns:
        costs.set_up_least_ns = took_ns
    costs.connections += 1
    costs.set_up_ns += took_ns


def _ends(message: HttpMessage, version: bytes) -> bool:
    """Whether a message says that its connection ends after it, or after the answer to it."""
    options = message.fields.members(_CONNECTION)
    return _CLOSE in options or (version == _HTTP10 and _KEEP_ALIVE not in options)


def _late(costs: Costs, before: PacketRef, poll: PacketRef) -> None:
    late = costs.late
    if late is None:
        late = costs.late = LatePolls()
    late.polls.add(LatePoll(before, poll), poll.ts_ns)
    late.delays.add(poll.ts_ns - before.ts_ns)


def _large(message: HttpMessage, side: Side, target_size: int) -> LargeHead:
    """What the largest part of a head is: a header, or the URL."""
    field, field_size = b"", target_size
    for name, value in message.headers():
        size = len(name) + len(value)
        if size > field_size:
            field, field_size = name, size
    place = message.first if side is CLIENT else message.last
    return LargeHead(place, len(message.head), text_of(field), field_size)
