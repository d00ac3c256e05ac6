"""Loads the fingerprints and the advice, and matches them against what a ledger shows."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from eiosniff.knowledge import observe
from eiosniff.model.session import Client, Identity, Server, Session

Conditions = tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True)
class Library:
    """A client or server library: all of `when` must hold for it to be recognised.

    A condition is a regular expression on an observation; `""` as the expression says that there must be none. The
    first of `versions` whose conditions hold gives the version bound.
    """

    id: str
    name: str
    when: Conditions
    versions: tuple[tuple[Conditions, str], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a finding, given the libraries. Empty `client` or `server` matches any."""

    rule: str
    client: str
    server: str
    when: Conditions
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything in the data files."""

    clients: tuple[Library, ...]
    servers: tuple[Library, ...]
    advice: tuple[Advice, ...]


@cache
def load() -> Knowledge:
    """Read the data files of this package."""
    return Knowledge(
        tuple(_library(entry) for entry in _read("clients.toml")["library"]),
        tuple(_library(entry) for entry in _read("servers.toml")["library"]),
        tuple(
            Advice(
                entry["rule"],
                entry.get("client", ""),
                entry.get("server", ""),
                _conditions(entry.get("when", {})),
                entry["text"],
                entry["source"],
            )
            for entry in _read("fixes.toml")["fix"]
        ),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__ or "") / name).read_text(encoding="utf-8"))


def _library(entry: dict[str, Any]) -> Library:
    versions = tuple((_conditions(version["when"]), str(version["is"])) for version in entry.get("version", ()))
    return Library(entry["id"], entry["name"], _conditions(entry["when"]), versions, entry["source"])


def _conditions(entry: Mapping[str, str]) -> Conditions:
    return tuple((name, re.compile(expression)) for name, expression in entry.items())


def _hold(conditions: Conditions, seen: Mapping[str, str]) -> bool:
    for name, expression in conditions:
        value = seen.get(name)
        if not expression.pattern:
            if value is not None:
                return False
        elif value is None or not expression.search(value):
            return False
    return True


def _identify(libraries: Iterable[Library], seen: Mapping[str, str]) -> Identity | None:
    for library in libraries:
        if _hold(library.when, seen):
            version = next((version for conditions, version in library.versions if _hold(conditions, seen)), "")
            return Identity(library.id, library.name, version)
    return None


def identify_client(client: Client, sessions: Iterable[Session]) -> Identity | None:
    """Which library a client is; None when nothing tells."""
    return _identify(load().clients, observe.of_client(client, sessions))


def identify_server(server: Server, sessions: Iterable[Session], clients: Iterable[Client]) -> Identity | None:
    """Which library a server is; None when nothing tells. `clients` are those that talk with it."""
    return _identify(load().servers, observe.of_server(server, sessions, clients))


def advice(rule: str, client: Client | None, server: Server | None, values: Mapping[str, object]) -> list[str]:
    """What to do about a finding, for the libraries at hand: the client's change first, then the server's.

    `values` are those of the hit; `when` conditions of the advice are on them. Advice for no particular library is only
    given where the client's library is not known.
    """
    client_id = client.identity.library if client and client.identity else ""
    server_id = server.identity.library if server and server.identity else ""
    texts = {name: str(value) for name, value in values.items()}
    specific: list[str] = []
    general: list[str] = []
    for entry in load().advice:
        if entry.rule != rule or not _hold(entry.when, texts):
            continue
        if entry.client and entry.client != client_id:
            continue
        if entry.server and entry.server != server_id:
            continue
        (specific if entry.client or entry.server else general).append(entry.text)
    for_client = any(
        entry.rule == rule and entry.client == client_id and entry.client and _hold(entry.when, texts)
        for entry in load().advice
    )
    return specific if for_client else general + specific
