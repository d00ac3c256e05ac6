"""Loads the fingerprints and the advice, and matches them against what a ledger shows."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from eiosniff.knowledge import observe
from eiosniff.model.peers import Client, Identity, Retired, Server
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import Session

# Stands for the library of a peer that is not recognised, in the data on what to do.
UNKNOWN = "unknown"
GROUP = r"\1"

Conditions = tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True)
class Library:
    """A client or server library: it is recognised if all conditions of one alternative in `when` hold.

    A condition is a regular expression on an observation; `""` as the expression says that there must be none. The
    first of `versions` whose conditions hold gives the version bound; a bound of `GROUP` stands for the version that
    the peer says itself: what the group in the expression of the last condition has found.
    """

    id: str
    name: str
    when: tuple[Conditions, ...]
    versions: tuple[tuple[Conditions, str], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a finding of these rules, where the client and the server are among these libraries (empty:
    whatever they are) and `when` holds for those values of the hit that there are."""

    rules: frozenset[str]
    clients: frozenset[str]
    servers: frozenset[str]
    when: Conditions
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What tells libraries."""

    clients: tuple[Library, ...]
    servers: tuple[Library, ...]


@cache
def load() -> Knowledge:
    """Read the fingerprints."""
    return Knowledge(
        tuple(_library(entry) for entry in read("clients.toml")["library"]),
        tuple(_library(entry) for entry in read("servers.toml")["library"]),
    )


@cache
def load_advice() -> tuple[Advice, ...]:
    """Read what there is to do about findings; apart, as where nothing is found nobody needs it."""
    return tuple(_advice(entry) for entry in read("fixes.toml")["fix"])


def read(name: str) -> dict[str, Any]:
    """What a data file of this package holds."""
    return tomllib.loads((resources.files(__package__ or "") / name).read_text(encoding="utf-8"))


def _library(entry: dict[str, Any]) -> Library:
    return Library(
        entry["id"],
        entry["name"],
        tuple(_conditions(alternative) for alternative in entry["when"]),
        tuple((_conditions(version["when"]), version["is"]) for version in entry.get("version", ())),
        entry["source"],
    )


def _advice(entry: dict[str, Any]) -> Advice:
    return Advice(
        frozenset(entry["rules"]),
        frozenset(entry.get("clients", ())),
        frozenset(entry.get("servers", ())),
        _conditions(entry.get("when", {})),
        entry["text"],
        entry["source"],
    )


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


# ---------------------------------------------------------------- who it is


def identify(clients: Sequence[Client], servers: Sequence[Server], sessions: Iterable[Session]) -> None:
    """Set the identity of all peers of a capture, in one pass over its sessions."""
    of_client: defaultdict[Client, list[Session]] = defaultdict(list)
    of_server: defaultdict[Server, list[Session]] = defaultdict(list)
    talking_with: defaultdict[Endpoint, list[Client]] = defaultdict(list)
    for session in sessions:
        of_client[session.client].append(session)
        of_server[session.server].append(session)
    for client in clients:
        talking_with[client.server].append(client)
        client.identity = identify_client(client, of_client[client])
    for server in servers:
        server.identity = identify_server(server, of_server[server], talking_with[server.endpoint])
        for session in of_server[server]:
            observe.note_revisions(session)


def fold(retired: Retired) -> None:
    """Keep in the ledgers that stay what one that is let go tells of its peers; give it its own identity."""
    ledger, server = retired
    if isinstance(ledger, Session):
        observe.fold_session(ledger)
    elif isinstance(ledger, Client):
        ledger.identity = identify_client(ledger, ())
        if server is not None:
            observe.fold_client(ledger, server)
    else:
        ledger.identity = identify_server(ledger, (), ())


def identify_client(client: Client, sessions: Iterable[Session]) -> Identity | None:
    """Which library a client is; None when nothing tells. `sessions` are its own."""
    return _identified("clients", tuple(observe.of_client(client, sessions).items()))


def identify_server(server: Server, sessions: Iterable[Session], clients: Iterable[Client]) -> Identity | None:
    """Which library a server is; None when nothing tells. `clients` are those that talk with it."""
    return _identified("servers", tuple(observe.of_server(server, sessions, clients).items()))


@dataclass(frozen=True, slots=True)
class Match:
    """Which entry of the data says who a peer is: `alternative` and `version` are numbers in its lists."""

    library: Library
    alternative: int
    version: int | None


def match(libraries: Iterable[Library], seen: Mapping[str, str]) -> Match | None:
    """The first library that fits what is seen (see `observe`), None if none does."""
    for library in libraries:
        for number, alternative in enumerate(library.when):
            if _hold(alternative, seen):
                bounds = (index for index, (conditions, _) in enumerate(library.versions) if _hold(conditions, seen))
                return Match(library, number, next(bounds, None))
    return None


@lru_cache(maxsize=1024)
def _identified(kind: Literal["clients", "servers"], observations: tuple[tuple[str, str], ...]) -> Identity | None:
    """Who a peer is that shows this; most peers of a capture show the same as another."""
    seen = dict(observations)
    libraries = load().clients if kind == "clients" else load().servers
    found = match(libraries, seen)
    if found is None:
        return None
    library, version = found.library, ""
    if found.version is not None:
        conditions, version = library.versions[found.version]
        if version == GROUP:
            name, expression = conditions[-1]
            said = expression.search(seen[name])
            version = said[1] if said else ""
    return Identity(library.id, library.name, version)


# ---------------------------------------------------------------- what to do


def advice(rule: str, client: Client | None, server: Server | None, values: Mapping[str, object]) -> list[str]:
    """What to do about a finding, given the libraries at hand; `values` are those of the hit.

    First what is for the client's library (with this server, or any), then what is for the server's. What is for no
    particular library comes last, and only where nothing is for the client's. Within each, the order of `fixes.toml`.
    """
    client_id = client.identity.library if client and client.identity else UNKNOWN
    server_id = server.identity.library if server and server.identity else UNKNOWN
    for_client: list[str] = []
    for_server: list[str] = []
    general: list[str] = []
    for entry in load_advice():
        if rule not in entry.rules or not all(
            expression.search(str(values[name])) for name, expression in entry.when if name in values
        ):
            continue
        if (entry.clients and client_id not in entry.clients) or (entry.servers and server_id not in entry.servers):
            continue
        (for_client if entry.clients else for_server if entry.servers else general).append(entry.text)
    return for_client + for_server + ([] if for_client else general)
