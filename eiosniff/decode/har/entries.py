"""The entries of a HAR as records for the session layer, in order of time.

Takes the place of what is below the conversations (`stack`): each entry is a conversation of its own, those of one
connection share its ledger. A HAR lists requests by their beginning and has no order for what happens in between, so
that all that matters is kept until the file is read; then it is told of event by event. What no browser records is not
made up: no packets, no ends of connections but for those that it tells, no frames. Where it does not say who ended a
WebSocket, that is concluded from what was said before (`hung_up`), and `CloseHow.UNSEEN` says so.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events, Record
from eiosniff.decode.facts import parse_target
from eiosniff.decode.har.failures import Failure, failure_of
from eiosniff.decode.http1.events import Upgrade
from eiosniff.decode.sessions.sessions import Sessions
from eiosniff.decode.tcp.connects import Connects
from eiosniff.decode.tcp.flow import BOTH_WAYS, Flow
from eiosniff.model.har import FailedRequests, HarAnswer, HarEntry, HarMessage, HeaderList
from eiosniff.model.http import Fields, HttpRequest, HttpResponse, text_of
from eiosniff.model.numbering import Entries
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, Endpoint, PacketRef, Side
from eiosniff.model.session import Connection
from eiosniff.model.summary import CaptureProblem, CaptureSummary, FailedConnect
from eiosniff.model.tcp import EndKind, StreamEnd
from eiosniff.model.trouble import AnomalyKind, Gap, GapReason
from eiosniff.model.websocket import Opcode, WsControl, WsMessage

# Of the bodies and messages that are kept, in bytes: more than a browser's own limits let through (10 MB a response,
# 100 MB in all, for Chrome), and less than what fills memory.
MAX_KEPT: Final = 1 << 30
MAX_FAILED: Final = 256  # kinds of requests that failed
# What stands for the address of the client, which a HAR does not tell.
BROWSER: Final = "browser"
CLIENT_NAME: Final = "client"
OTHER_REQUESTS: Final = "requests that are not of Engine.IO"
OTHER_PORTS: Final = "requests to other ports"
_LATEST_NS: Final = 100_000_000
_SLACK: Final = 2  # times the precision: an instant and a duration were both rounded
_SWITCHING: Final = 101
_SID: Final = re.compile(rb'"sid":"([^"]{1,300})"')
_OPEN_WITHIN: Final = 1024
_ACK: Final = re.compile(rb"(?:\A|[\x1e:])4[036]")
_PATHS: Final = re.compile(rb"EIO=|transport=|sid=|/1/|/(?:socket|engine)\.io", re.IGNORECASE)
_MASK: Final = b""
_UPGRADES: Final = ((b"upgrade", b"websocket"), (b"connection", b"Upgrade"))

_OF_A_BROWSER: Final = b"Mozilla/"
_FAILED: Final = "net::ERR_FAILED"

_ASKED, _ANSWERED, _SAID, _OVER = range(4)
_Event = tuple[int, int, int, int]  # instant, index of the entry, what, index of the message

Handle = Callable[[int, Conversation, Record], None]


@final
class _Talk:
    """An entry that is kept, and what became of it so far."""

    __slots__ = ("conversation", "entry", "request", "sid")

    def __init__(self, entry: HarEntry, sid: str) -> None:
        self.entry = entry
        self.sid = sid
        self.conversation: Conversation | None = None
        self.request: HttpRequest | None = None


@final
class EntryDecoder:
    """The entries of one HAR: `add` them all, then go through `steps`, then `finish`.

    `handle` hands a record to the session layer. Only entries with one of `ports` count, if any are given; `path` is
    the one that Engine.IO is under, if the user knows.
    """

    def __init__(
        self,
        summary: CaptureSummary,
        sessions: Sessions,
        connects: Connects,
        handle: Handle,
        crashed: Callable[[Conversation, Exception], None],
        ports: frozenset[int],
        path: str | None,
    ) -> None:
        self.summary = summary
        self.streams = 0
        self.engineio: set[int] = set()  # the streams that speak it
        self._sessions = sessions
        self._connects = connects
        self._handle = handle
        self._crashed = crashed
        self._ports = ports
        self._path = path.rstrip("/").encode() if path is not None else None
        self._numbering = Entries(summary.file)
        summary.numbering = self._numbering
        self._talks: list[_Talk] = []
        self._kept = 0
        self._left_out = 0  # entries, for want of room
        self._others = 0
        self._elsewhere = 0  # requests to other ports
        self._latest_ns = 0  # when the last one of all entries began
        self._ledgers: dict[tuple[str, int, str], Connection] = {}
        self._events = Events()
        self._failed: dict[tuple[Endpoint, str], FailedRequests] = {}
        self._client = CLIENT_NAME
        self._blind = 0  # WebSockets of which the file has no messages
        self._hollow = 0  # answers of which it has no content
        self._unheard = 0  # WebTransport sessions

    # ------------------------------------------------------------------ the file is read

    def is_wanted(self, entry: HarEntry) -> bool:
        """Whether an entry may be of Engine.IO, by its URL."""
        if self._ports and entry.port not in self._ports:
            return False
        if self._path is not None and entry.target.partition(b"?")[0].rstrip(b"/") == self._path:
            return True
        return entry.websocket or _PATHS.search(entry.target) is not None

    def add(self, entry: HarEntry) -> None:
        """Take an entry."""
        begun_ns = entry.begun_ns
        summary = self.summary
        if begun_ns:
            summary.first_ns = begun_ns if summary.first_ns is None else min(begun_ns, summary.first_ns)
            self._latest_ns = max(begun_ns, self._latest_ns)
        if not entry.host or not self.is_wanted(entry):
            elsewhere = bool(entry.host and self._ports) and entry.port not in self._ports
            self._elsewhere += elsewhere
            self._others += not elsewhere
            return
        if entry.webtransport and not entry.error:
            self._unheard += 1
            return
        self._kept += _size_of(entry)
        if self._kept > MAX_KEPT:
            self._left_out += 1
            return
        if any(name.lower() == b"user-agent" and value.startswith(_OF_A_BROWSER) for name, value in entry.headers):
            self._client = BROWSER
        sid = parse_target(entry.target).first("sid")
        self._talks.append(_Talk(entry, sid or ""))

    def end_early(self) -> None:
        """The file is cut off or damaged. What began after its last entry is not in it, so that an answer that came
        later than that is not told of: it may answer what is missing."""
        for talk in self._talks:
            entry = talk.entry
            entry.pending = entry.pending or (not entry.websocket and entry.ended_ns > self._latest_ns)

    # ------------------------------------------------------------------ in order

    def steps(self, most: int) -> Iterator[int]:
        """Tell the session layer of everything; pauses after at most so many events, and says how many are done."""
        self._settle_times()
        events = self._in_order()
        for done, event in enumerate(events, 1):
            self._take(event)
            if done % most == 0:
                yield done
        for talk in self._talks:
            self._close(talk)
        yield len(events)

    def _settle_times(self) -> None:
        """Put instants right that were rounded: a request that follows from an answer comes after it.

        And those on another clock count from the beginning of the file: of a WebSocket that never was connected,
        Chrome does not tell when that was.
        """
        lost = [talk.entry for talk in self._talks if not talk.entry.begun_ns]
        least = min((entry.ended_ns for entry in lost), default=0)
        first_ns = self.summary.first_ns or 0
        for entry in lost:
            entry.begun_ns = entry.sent_ns = entry.ended_ns = first_ns + entry.ended_ns - least
        asked = self._asked()
        answered: dict[tuple[str, bool], int] = {}
        for talk in sorted(self._talks, key=lambda talk: (talk.entry.sent_ns, talk.entry.number)):
            entry = talk.entry
            post = entry.method == b"POST"
            before = max(answered.get((talk.sid, post), 0), answered.get(("", post), 0) if talk.sid else 0)
            if entry.sent_ns < before <= entry.sent_ns + _SLACK * entry.precision_ns:
                entry.sent_ns = before
                entry.ended_ns = max(before, entry.ended_ns)
                if entry.answer is not None:
                    entry.answer.headed_ns = max(before, entry.answer.headed_ns)
            if not post and talk.sid and _acknowledges(entry):
                entry.ended_ns = _after_its_post(
                    entry.ended_ns, asked[talk.sid, False], asked.get((talk.sid, True), [])
                )
            if talk.sid and not entry.websocket:
                answered[talk.sid, post] = entry.ended_ns
            elif entry.answer is not None and not entry.websocket and entry.answer.body is not None:
                opened = _SID.search(entry.answer.body[:_OPEN_WITHIN])
                if opened is not None:
                    sid = opened.group(1).decode("utf-8", "replace")
                    answered[sid, False] = answered[sid, True] = entry.ended_ns

    def _asked(self) -> dict[tuple[str, bool], list[int]]:
        """When requests of each session went out over polling, those by POST apart, in order."""
        asked: dict[tuple[str, bool], list[int]] = {}
        for talk in self._talks:
            if not talk.entry.websocket:
                asked.setdefault((talk.sid, talk.entry.method == b"POST"), []).append(talk.entry.sent_ns)
        for instants in asked.values():
            instants.sort()
        return asked

    def _in_order(self) -> list[_Event]:
        """All that happens. What has the same instant comes in the order of the file."""
        events: list[_Event] = []
        for at, talk in enumerate(self._talks):
            entry = talk.entry
            events.append((entry.sent_ns, at, _ASKED, 0))
            if not entry.pending:
                events.append((max(entry.ended_ns, entry.sent_ns), at, _ANSWERED, 0))
            last_ns = entry.ended_ns
            for index, message in enumerate(entry.messages or ()):
                # In the order of the file, which has them in the order in which they went out and came.
                last_ns = max(last_ns, message.ts_ns)
                events.append((last_ns, at, _SAID, index))
            if entry.closed_ns is not None:
                events.append((max(last_ns, entry.closed_ns), at, _OVER, 0))
        events.sort()
        return events

    def _take(self, event: _Event) -> None:
        ts_ns, at, what, index = event
        talk = self._talks[at]
        message = talk.entry.messages[index] if what == _SAID and talk.entry.messages is not None else None
        number = self._numbering.add(talk.entry.number, message.number if message is not None else 0)
        place = PacketRef(number, ts_ns)
        self.summary.last_ns = max(ts_ns, self.summary.last_ns or 0)
        if what == _ASKED:
            self._ask(talk, place)
            return
        conversation = talk.conversation
        if conversation is None:
            return
        conversation.ledger.last = max(conversation.ledger.last, place)
        if what == _ANSWERED:
            self._answer(talk, conversation, place)
        elif message is not None:
            self._say(conversation, message, place)
        else:
            self._hang_up(conversation, place)

    def _ask(self, talk: _Talk, place: PacketRef) -> None:
        entry = talk.entry
        failure = failure_of(entry)
        server = Endpoint(entry.host, entry.port)
        if failure is not None and failure.connect is not None:
            told = f"{entry.method.decode() or 'GET'} {text_of(entry.target)}: {failure.error}"
            self._connects.failed(self._client, server, failure.connect, FailedConnect(place, place, 0, told))
            return
        if failure is not None and failure.told:
            self._note_failure(entry, server, failure, place)
        if failure is not None and failure.ended_by is None and entry.answer is None:
            return  # it never reached the server
        conversation = self._conversation(talk, server, place)
        request = talk.request = _request(entry, place)
        conversation.hear(CLIENT, place)
        self._tell(conversation, place, request)

    def _conversation(self, talk: _Talk, server: Endpoint, place: PacketRef) -> Conversation:
        entry = talk.entry
        key = (entry.host, entry.port, f"#{entry.number}" if entry.websocket else entry.connection)
        ledger = self._ledgers.get(key)
        fresh = ledger is None
        if ledger is None:
            first = PacketRef(place.number, place.ts_ns - max(0, entry.connected_ns))
            ledger = Connection(self.streams, Endpoint(self._client, 0), server, first, place)
            ledger.encrypted = entry.encrypted
            self._ledgers[key] = ledger
            self.streams += 1
        flow = Flow((0, 1), ledger.first, place)
        flow.stream = ledger.stream
        flow.heard = BOTH_WAYS
        flow.client = 0
        conversation = talk.conversation = Conversation(flow, ledger, self._events, self._crashed)
        if fresh and entry.answer is not None:
            self._connects.reached(ledger)
        return conversation

    def _answer(self, talk: _Talk, conversation: Conversation, place: PacketRef) -> None:
        entry, request, answer = talk.entry, talk.request, talk.entry.answer
        if request is None:
            return
        if answer is None:
            failure = failure_of(entry)
            if failure is not None and failure.ended_by is not None:
                side = failure.ended_by
                for each in (side, side.other):
                    self._tell(
                        conversation, place, StreamEnd(each, failure.how if each is side else EndKind.FIN, place)
                    )
            else:
                self._give_up(conversation, place)
            return
        conversation.hear(SERVER, place)
        for failed in self._failed.values():
            failed.recovered = failed.recovered or failed.server == conversation.ledger.server
        response = _response(answer, request, place, upgrades=entry.websocket, kept=not entry.error)
        response.withheld = _is_withheld(entry, response)
        if response.status != _SWITCHING:
            self._hollow += not (response.body_kept or entry.error)
            self._tell(conversation, place, response)
            for side, lacks in ((CLIENT, not request.body_kept), (SERVER, not (response.body_kept or entry.error))):
                if lacks:
                    self._tell_of_hole(conversation, side, place)
            return
        upgrade = conversation.upgrade = Upgrade(request, response)
        conversation.sides_are_apart = True
        self._tell(conversation, place, upgrade)
        if entry.messages is None:
            self._blind += 1
            for side in SIDES:
                self._tell_of_hole(conversation, side, place)

    def _tell_of_hole(self, conversation: Conversation, side: Side, place: PacketRef) -> None:
        """The file lacks what a side said."""
        self._tell(conversation, place, Gap(side, 0, 0, GapReason.NOT_CAPTURED, place))

    def _say(self, conversation: Conversation, message: HarMessage, place: PacketRef) -> None:
        """A message; a HAR that has control frames is written by something else than a browser."""
        side, data, packets = message.side, message.data, (place.number,)
        conversation.hear(side, place)
        if message.opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
            control = WsControl(
                side, message.opcode, data or b"", side is CLIENT, _MASK, 0, 0, 0, packets, place, place, place.number
            )
            self._tell(conversation, place, control)
            return
        size = len(data) if data is not None else 0
        said = WsMessage(
            side, message.opcode, data or b"", side is CLIENT, _MASK, 0, 1, size, False, 0, data is not None, 0, size,
            packets, place, place, place.number,
        )  # fmt: skip
        self._tell(conversation, place, said)

    def _hang_up(self, conversation: Conversation, place: PacketRef) -> None:
        """A WebSocket has ended."""
        self._sessions.hung_up(conversation, place)
        self._give_up(conversation, place)

    def _give_up(self, conversation: Conversation, place: PacketRef) -> None:
        for side in SIDES:
            if not conversation.ended[side]:
                self._tell(conversation, place, StreamEnd(side, EndKind.CAPTURE_ENDED, place))

    def _close(self, talk: _Talk) -> None:
        """The file has no more of an entry."""
        conversation = talk.conversation
        if conversation is None:
            return
        if talk.entry.pending or conversation.upgrade is not None:
            self._give_up(conversation, conversation.ledger.last)
        if conversation.is_engineio:
            self.engineio.add(conversation.ledger.stream)

    def _tell(self, conversation: Conversation, place: PacketRef, record: Record) -> None:
        if not conversation.forgotten or isinstance(record, StreamEnd):
            self._handle(place.number, conversation, record)

    # ------------------------------------------------------------------ what else there is to tell

    def _note_failure(self, entry: HarEntry, server: Endpoint, failure: Failure, place: PacketRef) -> None:
        key = (server, failure.error)
        failed = self._failed.get(key)
        if failed is None:
            if len(self._failed) >= MAX_FAILED:
                return
            failed = self._failed[key] = FailedRequests(self._client, server, failure.error, failure.kind)
        failed.tally.add(place, place.ts_ns)
        failed.recovered = False

    def finish(self) -> None:
        """Sum up, once all is told of."""
        summary = self.summary
        summary.connections = self.streams
        summary.engineio_connections = len(self.engineio)
        summary.last_ns = summary.last_ns or self._latest_ns or None
        summary.failed_requests = list(self._failed.values())
        if self._others:
            summary.other[OTHER_REQUESTS] = self._others
        if self._elsewhere:
            summary.other[OTHER_PORTS] = self._elsewhere
        if self._blind:
            which = "a WebSocket" if self._blind == 1 else f"{self._blind} WebSockets"
            text = f"the HAR has no messages with times of {which}: Firefox and Safari write none, Chrome and Edge do"
            summary.problems.append(CaptureProblem(AnomalyKind.HAR_WITHOUT_MESSAGES.value, text, 0))
        if self._unheard:
            text = "a HAR has nothing of what is said over WebTransport: capture packets, with a key log"
            summary.problems.append(CaptureProblem(AnomalyKind.HAR_WITHOUT_MESSAGES.value, text, 0))
        if self._hollow:
            which = "an answer" if self._hollow == 1 else f"{self._hollow} answers"
            text = f"the HAR lacks the content of {which} from Engine.IO: have it written with content"
            summary.problems.append(CaptureProblem(AnomalyKind.HAR_WITHOUT_CONTENT.value, text, 0))
        if self._left_out:
            text = f"{self._left_out} entries were left out, as those before have more than {MAX_KEPT >> 20} MB"
            summary.problems.append(CaptureProblem(AnomalyKind.CAPTURE_DAMAGED.value, text, 0))


def _is_withheld(entry: HarEntry, response: HttpResponse) -> bool:
    """Whether the browser kept an answer that is no refusal from the page (CORS): Chrome then calls the request failed,
    and has no content of it."""
    request = response.request
    foreign = request is not None and request.header(b"origin") is not None
    return foreign and response.status == 200 and entry.error == _FAILED and not response.body_kept


def _acknowledges(entry: HarEntry) -> bool:
    """Whether what answers a poll begins with what answers a client: a CONNECT, or an ACK (`40`, `43`, `46`)."""
    answer = entry.answer
    return answer is not None and answer.body is not None and _ACK.search(answer.body) is not None


def _after_its_post(ended_ns: int, polls: list[int], posts: list[int]) -> int:
    """When a poll was answered whose answer acknowledges something: after that was sent, and before the next poll.

    Firefox does not tell how long requests waited in its queue (`blocked` is -1), and others round.
    """
    at = bisect_right(polls, ended_ns)
    latest_ns = min(polls[at] if at < len(polls) else ended_ns, ended_ns + _LATEST_NS)
    at = bisect_right(posts, latest_ns)
    return posts[at - 1] + 1 if at and posts[at - 1] >= ended_ns else ended_ns


def _size_of(entry: HarEntry) -> int:
    size = len(entry.target) + len(entry.body or b"")
    if entry.answer is not None:
        size += len(entry.answer.body or b"")
    return size + sum(len(message.data or b"") + _OF_A_MESSAGE for message in entry.messages or ())


_OF_A_MESSAGE: Final = 200  # bytes that an empty one takes


def _request(entry: HarEntry, place: PacketRef) -> HttpRequest:
    """The request as HTTP/1.1 would have written it. A browser does not tell of all headers: those of an upgrade are
    sure to have been there."""
    headers = entry.headers
    if entry.websocket:
        headers = _with(headers, _UPGRADES)
    if _lacks(headers, b"host"):
        default = entry.port == (443 if entry.encrypted else 80)
        host = f"[{entry.host}]" if ":" in entry.host else entry.host
        headers = ((b"Host", (host if default else f"{host}:{entry.port}").encode("utf-8", "replace")), *headers)
    line = b"%s %s HTTP/%s" % (entry.method or b"GET", entry.target, entry.version or b"1.1")
    head, fields = _head(line, headers)
    # Behind the first of a connection, where it was used before or nobody knows: `costs` counts new ones.
    start = 0 if entry.connected_ns >= 0 else 1
    request = HttpRequest(head, start, place, fields, entry.method or b"GET", entry.target, entry.version or b"1.1")
    request.packets = (place.number,)
    request.body = entry.body or b""
    request.body_length = len(request.body)
    request.body_kept = entry.body is not None
    request.complete = True
    return request


def _response(answer: HarAnswer, request: HttpRequest, place: PacketRef, *, upgrades: bool, kept: bool) -> HttpResponse:
    """The answer in the same way. Where the page did not get it (`kept`), or the file lacks its body, nothing is known
    of what was in it. A WebSocket over HTTP/2 is accepted with 200 (RFC 8441, section 5)."""
    status, headers = answer.status, answer.headers
    if upgrades and 200 <= status < 300 and request.version not in (b"1.1", b"1.0"):
        status = _SWITCHING
    if status == _SWITCHING:
        headers = _with(headers, _UPGRADES)
    line = b"HTTP/%s %d %s" % (answer.version or b"1.1", status, answer.reason)
    head, fields = _head(line, headers)
    first = PacketRef(place.number, min(answer.headed_ns, place.ts_ns))
    response = HttpResponse(head, 0, first, fields, status, answer.reason, answer.version or b"1.1", request)
    response.last = place
    response.packets = (place.number,)
    response.body = answer.body or b""
    response.body_kept = answer.body is not None
    response.body_length = answer.body_length
    response.complete = kept and answer.body is not None
    return response


def _head(line: bytes, headers: HeaderList) -> tuple[bytes, Fields]:
    lines = b"".join([b"%s: %s\r\n" % header for header in headers])
    return b"%s\r\n%s" % (line, lines), Fields(lines, False)


def _lacks(headers: HeaderList, name: bytes) -> bool:
    return all(known.lower() != name for known, _ in headers)


def _with(headers: HeaderList, others: HeaderList) -> HeaderList:
    return (*headers, *[other for other in others if _lacks(headers, other[0])])
