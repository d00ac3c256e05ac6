"""Which proxy wrote an answer or passed a request on, and whose a cookie is, by what `boxes.toml` says."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from eiosniff.knowledge.library import read
from eiosniff.model.attempt import AnswerFacts, RequestFacts

# Kinds of signs in an answer, those first that say more of who wrote it.
ANSWER_KINDS: Final = ("headers", "server", "via", "page")
REQUEST: Final = "request"

Sign = tuple[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Box:
    """A program between client and server. `answer`: kinds of `ANSWER_KINDS`, each a sign by itself; `request`: signs
    (`headers`, `connection`) that have to hold together."""

    name: str
    answer: tuple[Sign, ...]
    request: tuple[Sign, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Page:
    """A web page that a program answers in the place of what was asked for; `what` and `because` are words for it."""

    id: str
    body: re.Pattern[str]
    what: str
    because: str
    source: str


@dataclass(frozen=True, slots=True)
class Cookie:
    """A name of cookies, and whose they are."""

    name: re.Pattern[str]
    of: str
    source: str


@dataclass(frozen=True, slots=True)
class Boxes:
    """Everything in the data file; `forwarded` are the names of headers, lower case, with their sources."""

    boxes: tuple[Box, ...]
    pages: tuple[Page, ...]
    forwarded: dict[str, str]
    affinity: tuple[Cookie, ...]
    application: tuple[Cookie, ...]


@cache
def load() -> Boxes:
    """Read the data file of this package."""
    data = read("boxes.toml")
    return Boxes(
        tuple(_box(entry) for entry in data["box"]),
        tuple(_page(entry) for entry in data["page"]),
        {entry["header"]: entry["source"] for entry in data["forwarded"]},
        tuple(_cookie(entry) for entry in data["affinity"]),
        tuple(_cookie(entry) for entry in data["application"]),
    )


def _box(entry: dict[str, Any]) -> Box:
    answer = tuple((kind, _compiled(entry[kind])) for kind in ANSWER_KINDS if kind in entry)
    request = tuple((name, _compiled(expression)) for name, expression in entry.get(REQUEST, {}).items())
    return Box(entry["name"], answer, request, entry["source"])


def _page(entry: dict[str, Any]) -> Page:
    return Page(entry["id"], _compiled(entry["body"]), entry["what"], entry["because"], entry["source"])


def _cookie(entry: dict[str, Any]) -> Cookie:
    return Cookie(_compiled(entry["cookie"]), entry["of"], entry["source"])


def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def answered_by(answer: AnswerFacts) -> tuple[Box, str] | None:
    """The box that an answer shows, and the kind of the sign; None if it shows none."""
    shown = {
        "headers": _names(answer.header_names),
        "server": answer.server,
        "via": answer.via,
        "page": answer.body.decode("latin-1"),
    }
    for kind in ANSWER_KINDS:
        text = shown[kind]
        for box in load().boxes:
            if text and any(name == kind and sign.search(text) for name, sign in box.answer):
                return box, kind
    return None


def forwarded_by(request: RequestFacts) -> Box | None:
    """The box that passed a request for a WebSocket on, if it shows."""
    shown = {"headers": _names(request.header_names), "connection": request.connection or ""}
    for box in load().boxes:
        if box.request and all(sign.search(shown[name]) for name, sign in box.request):
            return box
    return None


def page_of(body: bytes) -> Page | None:
    """Whose page this is, by its beginning, if it is known."""
    text = body.decode("latin-1")
    return next((page for page in load().pages if page.body.search(text)), None)


def forwarded_headers(request: RequestFacts) -> set[str]:
    """The names of headers that proxies add, among those of a request; lower case."""
    return load().forwarded.keys() & {name.lower() for name in request.header_names}


def is_affinity(cookie: str) -> bool:
    """Whether the name of a cookie is one by which load balancers find the server of a session."""
    return _is_known(cookie, load().affinity)


def is_application(cookie: str) -> bool:
    """Whether the name of a cookie is one that applications set for themselves."""
    return _is_known(cookie, load().application)


def _is_known(cookie: str, known: Iterable[Cookie]) -> bool:
    return any(entry.name.search(cookie) for entry in known)


def _names(headers: Iterable[str]) -> str:
    return ",".join(name.lower() for name in headers)
