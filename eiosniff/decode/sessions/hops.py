"""Recognises a conversation that is captured twice: in front of a proxy or a NAT, and behind it.

A request that is forwarded comes again, on another connection, while the first one waits for its answer. It is the same
request if it says the same and something shows that it is not just another client's: an unpredictable value in it (the
WebSocket key, a session id, the time stamp that clients put against caches), or the way from one connection to the
other. What is said behind the proxy is then not counted a second time.
"""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.facts import query_of
from eiosniff.model.http import HttpRequest
from eiosniff.model.provenance import CLIENT

# Requests that wait for an answer at one time, and of those that say the same the last few.
_MAX_WAITING: Final = 1024
_MAX_ALIKE: Final = 8
# Parameter `t` of a request over polling: engine.io-client writes the time in 7 or 8 characters of its own alphabet.
_LEAST_TIMESTAMP: Final = 5
_KEY: Final = b"sec-websocket-key"
_FORWARDED_FOR: Final = (b"x-forwarded-for", b"x-real-ip", b"forwarded")


class Hops:
    """The requests that wait for an answer, by what they say."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[tuple[Conversation, HttpRequest]]] = {}

    def ask(self, conversation: Conversation, request: HttpRequest) -> tuple[Conversation, HttpRequest] | None:
        """Take the next request of Engine.IO; returns the one that a proxy or a NAT made it from, if there is one."""
        said = _said(request)
        alike = self._waiting.pop(said, [])
        found: tuple[Conversation, HttpRequest] | None = None
        for outer, asked in alike:
            if _is_forwarded(outer, asked, conversation, request):
                found = outer, asked
        alike.append((conversation, request))
        self._waiting[said] = alike[-_MAX_ALIKE:]
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return found

    def answered(self, request: HttpRequest) -> None:
        """A request does not wait any longer."""
        said = _said(request)
        alike = [(outer, asked) for outer, asked in self._waiting.pop(said, []) if asked is not request]
        if alike:
            self._waiting[said] = alike

    def may_be_behind(self, conversation: Conversation) -> bool:
        """Whether a request for a session waits at another server, so that what this one opens may be the answer."""
        server = conversation.ledger.server
        return any(outer.ledger.server != server for alike in self._waiting.values() for outer, _ in alike)


def _said(request: HttpRequest) -> bytes:
    """What a proxy leaves as it is: not the path, which it may be told to change."""
    return request.method + b" " + request.target.partition(b"?")[2]


def _is_forwarded(outer: Conversation, asked: HttpRequest, inner: Conversation, request: HttpRequest) -> bool:
    """Whether `request` is `asked`, that has the same query, on its way to the server."""
    before, behind = outer.ledger, inner.ledger
    same_server = before.server == behind.server
    if outer is inner or (same_server and before.client.address == behind.client.address):
        return False
    key, its_key = asked.header(_KEY), request.header(_KEY)
    if key is not None and key == its_key:
        return True
    # A NAT changes addresses and ports, and leaves the sequence numbers as they are.
    number = outer.flow.direction(CLIENT).syn_seq
    if number >= 0 and number == inner.flow.direction(CLIENT).syn_seq:
        return True
    if same_server:  # then it would be a NAT
        return False
    if before.client == behind.client or before.server.address == behind.client.address:
        return True
    address = before.client.address.encode()
    if any(address in (request.header(name) or b"") for name in _FORWARDED_FOR):
        return True
    query = query_of(request)
    return bool(query.first("sid")) or len(query.first("t") or "") >= _LEAST_TIMESTAMP
