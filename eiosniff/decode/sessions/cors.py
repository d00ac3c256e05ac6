"""Pages of other origins, into the ledgers: preflights before a handshake, and which origins a server lets in."""

import re
from typing import TYPE_CHECKING, Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.facts import answer_facts, query_of, request_facts
from eiosniff.model.attempt import Attempt, Preflight, RequestFacts
from eiosniff.model.cors import is_foreign, origin_host, preflight_check
from eiosniff.model.http import BODY_KEPT, HttpRequest, HttpResponse, Query
from eiosniff.model.peers import Server

if TYPE_CHECKING:
    from eiosniff.decode.sessions.openings import Openings

_UNDER_WAY: Final = 256  # preflights behind a proxy that wait for an answer
_ORIGINS_KEPT: Final = 8
_LOOPBACK: Final = ("127.", "localhost", "[::1]")
_ADDRESS: Final = re.compile(r"[0-9.]+")
_OF_PROXIES: Final = ("x-forwarded-for", "x-real-ip", "forwarded", "via")
_ASKS: Final = b"access-control-request-method"


class Preflights:
    """The OPTIONS requests before handshakes; those for a session are told of by the session."""

    def __init__(self, openings: "Openings") -> None:
        self._openings = openings
        self._forwarded: dict[HttpRequest, None] = {}

    def asked(self, conversation: Conversation, request: HttpRequest, query: Query) -> None:
        """A request by OPTIONS."""
        if query.first("sid") or request.header(_ASKS) is None:
            return
        if self._openings.hops.ask(conversation, request) is not None:
            self._forwarded[request] = None
            if len(self._forwarded) > _UNDER_WAY:
                del self._forwarded[next(iter(self._forwarded))]

    def answered(self, conversation: Conversation, request: HttpRequest, response: HttpResponse) -> None:
        """Its answer: it is kept if the browser will not send the handshake."""
        query = query_of(request)
        if query.first("sid") or request.header(_ASKS) is None:
            return
        self._openings.hops.answered(request)
        if request in self._forwarded:
            del self._forwarded[request]
            return
        asked = request_facts(request, query, False, conversation.channel)
        answer = answer_facts(response)
        answer.body = response.body[:BODY_KEPT]
        if preflight_check(asked, answer) is not None:
            client = self._openings.peers.client(conversation.ledger, asked.user_agent)
            client.preflights.add(Preflight(asked, answer), response.last.ts_ns)


def note_origin(server: Server, attempt: Attempt) -> None:
    """A session was opened: keep the origin of its page if that is another host's, and what it sends counts as the
    user's."""
    request, answer = attempt.request, attempt.answered
    origin = request.origin
    if origin is None or answer is None or origin in server.origins:
        return
    if not is_foreign(request) or not (request.fetches or request.user_agent.startswith("Mozilla/")):
        return
    if answer.accepts:
        let_in = bool(request.cookies) and not _is_forwarded(request)
    else:
        let_in = answer.allow_origin == (origin,) and answer.allow_credentials == "true"
    if let_in and len(server.origins) < _ORIGINS_KEPT:
        server.origins[origin] = answer.place


def _is_forwarded(request: RequestFacts) -> bool:
    """Whether a proxy may have changed the `Host` of a request, so that the page's own host looks like another."""
    host = request.host.rpartition(":")[0] or request.host
    if host.startswith(_LOOPBACK) or ("." not in host and ":" not in host):
        return True  # `backend`: that of a proxy's setting
    if _ADDRESS.fullmatch(host) is not None and _ADDRESS.match(origin_host(request.origin or "")) is None:
        return True  # pages have names, and proxies know servers by their addresses
    return any(name.lower() in _OF_PROXIES for name in request.header_names) and request.forwarded_host is None
