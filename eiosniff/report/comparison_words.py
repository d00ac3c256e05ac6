"""Conversations and their facts in words, as more than one format writes them."""

from eiosniff.model.comparison import Conversation, Fact
from eiosniff.report.redact import Redactor
from eiosniff.report.wording import library

_HEADER = "header "


def shown_fact(fact: Fact, redactor: Redactor, limit: int | None = None) -> str:
    """The value of a fact without secrets, printable. What is a secret by its name is told by the name."""
    if fact.value is None:
        return "not known"
    name = ""
    if fact.quoted:
        name = f"{fact.quoted}="
    elif fact.name.startswith(_HEADER):
        name = f"{fact.name[len(_HEADER) :]}: "
    shown = redactor.text(f"{name}{fact.value}")
    # The name itself may hold what looks like a secret: then all of it goes.
    value = shown.removeprefix(name) if shown.startswith(name) else redactor.text(fact.value)
    return redactor.shown(value, limit) or '""'


def absent(kind: str) -> str:
    """What stands for a fact that a step does not have."""
    return "not sent" if kind in ("request", "upgrade", "answer") else "-"


def who(conversation: Conversation, redactor: Redactor) -> str:
    """Whose conversation it is: session, client and server."""
    address, endpoint = conversation.peers
    client, server = conversation.client, conversation.server
    names = [library(each.identity) if each is not None else "" for each in (client, server)]
    shown = [f" ({redactor.shown(name, 60)})" if name else "" for name in names]
    peers = f"{address or 'a client'}{shown[0]} → {endpoint or 'a server'}{shown[1]}"
    session = conversation.session
    if session is not None:
        sid = f" {redactor.shown(session.sid, 40)}" if session.sid else ""
        return f"s{session.index}{sid}, {peers}"
    return f"{'a handshake' if conversation.attempt is not None else 'a connection'}, {peers}"
