"""What a ledger shows of a peer, as texts under fixed names: what fingerprints are conditions on."""

from collections.abc import Iterable

from eiosniff.model.engineio import OpenPacket
from eiosniff.model.provenance import Side
from eiosniff.model.session import Client, Outcome, RequestFacts, Server, Session

YES = "yes"


def of_client(client: Client, sessions: Iterable[Session]) -> dict[str, str]:
    """Observations of a client.

    `polling.*` and `websocket.*`: `method`, `path`, `query` (parameter names in order, comma-separated), `t` (its
    value), `eio`, `user-agent`, `origin`, `subprotocol`, `extensions`, `headers` (names in order, lower case,
    comma-separated); absent where there was no such request. `client-pings-in-eio4`: it sent a ping where it must not.
    `user-agent`: of any request.
    """
    seen: dict[str, str] = {}
    if client.user_agent:
        seen["user-agent"] = client.user_agent
    for kind, request in (("polling", client.polling_request), ("websocket", client.websocket_request)):
        if request is not None:
            seen.update({f"{kind}.{name}": text for name, text in _request(request).items()})
    for session in sessions:
        if session.heartbeats.reversed and session.engineio == 4:
            seen["client-pings-in-eio4"] = YES
    seen.update(client.marks)
    return seen


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


def of_server(server: Server, sessions: Iterable[Session], clients: Iterable[Client]) -> dict[str, str]:
    """Observations of a server.

    `open-keys` (names in the open packet, in order), `ping-interval`, `ping-timeout`, `max-payload`, `sid`, `revision`
    (of Engine.IO, as the server speaks it), `error-style`, `error-code` (highest seen), `error-text`,
    `unasked-connect`, `refuses-after-101`, and the marks of `decode/facts.py`: `server`, `via`, `cache-control`,
    `set-cookie`, `post-ok`, `allows-credentials-only`.
    """
    seen: dict[str, str] = dict(server.marks)
    if server.handshake is not None:
        seen.update(_open(server.handshake))
    for session in sessions:
        revision = session.revisions[Side.SERVER]
        if revision is not None:
            seen["revision"] = str(revision)
        if any(namespace.unasked for namespace in session.namespaces.values()):
            seen["unasked-connect"] = YES
    codes = []
    for client in clients:
        for group in client.attempts.values():
            for attempt in group:
                if attempt.error is not None and attempt.outcome in (Outcome.REFUSED, Outcome.REFUSED_AFTER_101):
                    seen["error-text"] = attempt.error.message
                    if attempt.error.code is not None:
                        codes.append(attempt.error.code)
                if attempt.outcome is Outcome.REFUSED_AFTER_101:
                    seen["refuses-after-101"] = YES
    if codes:
        seen["error-code"] = str(max(codes))
    return seen


def _open(handshake: OpenPacket) -> dict[str, str]:
    numbers = {
        "ping-interval": handshake.ping_interval_ms,
        "ping-timeout": handshake.ping_timeout_ms,
        "max-payload": handshake.max_payload,
    }
    known = {name: str(number) for name, number in numbers.items() if number is not None}
    return {"sid": handshake.sid, "open-keys": ",".join(handshake.keys), **known}
