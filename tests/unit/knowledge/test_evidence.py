"""Every entry of the data is held against something: a recording of that library, or what is documented of it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from eiosniff.knowledge import load, match, observe
from eiosniff.knowledge.library import GROUP, Library, Match
from tests.cases import RECORDED
from tests.unit.knowledge.documented import ANSWERS, HANDSHAKES, REFUSALS, SESSIONS
from tests.unit.knowledge.peers import client, identified

# Recordings whose peers are what they say: those of one kind are enough.
COLLECTIONS = ("libraries", "arduino", "legacy", "healthy", "variants", "matrix", "faulty")


class Part(NamedTuple):
    """A part of an entry: an alternative by which the library is known, or a bound of its version."""

    library: int  # number in its file
    kind: str  # "alternative" or "version"
    number: int


def _parts(libraries: tuple[Library, ...]) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for index, library in enumerate(libraries):
        name = f"{index + 1}. {library.name}"
        for number in range(len(library.when)):
            parts[f"{name}, alternative {number + 1}"] = Part(index, "alternative", number)
        for number, (_, bound) in enumerate(library.versions):
            parts[f"{name}, version {number + 1}: {bound}"] = Part(index, "version", number)
    return parts


CLIENT_PARTS, SERVER_PARTS = _parts(load().clients), _parts(load().servers)


def _shown(libraries: tuple[Library, ...], found: Match | None) -> Iterator[Part]:
    if found is not None:
        index = next(number for number, library in enumerate(libraries) if library is found.library)
        yield Part(index, "alternative", found.alternative)
        if found.version is not None:
            yield Part(index, "version", found.version)


def _captures() -> list[Path]:
    return [path for name in COLLECTIONS for path in sorted((RECORDED / name).glob("*.pcap*"))]


@cache
def _recorded() -> tuple[frozenset[Part], frozenset[Part]]:
    """The parts that recordings of clients, and of servers, show."""
    clients: set[Part] = set()
    servers: set[Part] = set()
    knowledge = load()
    for capture in _captures():
        if capture.stem.startswith(("damaged-", "late-")):
            continue
        ledgers = identified(capture)
        for peer in ledgers.clients.values():
            own = [session for session in ledgers.sessions if session.client is peer]
            clients.update(_shown(knowledge.clients, match(knowledge.clients, observe.of_client(peer, own))))
        for server in ledgers.servers.values():
            own = [session for session in ledgers.sessions if session.server is server]
            talking = [peer for peer in ledgers.clients.values() if peer.server == server.endpoint]
            seen = observe.of_server(server, own, talking)
            servers.update(_shown(knowledge.servers, match(knowledge.servers, seen)))
    return frozenset(clients), frozenset(servers)


@cache
def _documented() -> tuple[frozenset[Part], frozenset[Part]]:
    """The parts that documented requests and answers show."""
    knowledge = load()
    clients = [observe.of_client(client(handshake), []) for handshake, _ in HANDSHAKES]
    clients += [observe.of_client(ledger.client, [ledger]) for ledger, _ in SESSIONS.values()]
    servers = [observe.of_server(answers.peer, [answers.session()], []) for answers in ANSWERS]
    for peer, refused in (refusal.peers() for refusal in REFUSALS):
        servers.append(observe.of_server(peer, [], [refused]))
    return (
        frozenset(part for seen in clients for part in _shown(knowledge.clients, match(knowledge.clients, seen))),
        frozenset(part for seen in servers for part in _shown(knowledge.servers, match(knowledge.servers, seen))),
    )


@pytest.mark.parametrize("part", CLIENT_PARTS.values(), ids=CLIENT_PARTS)
def test_each_part_of_a_client_has_a_case(part: Part) -> None:
    assert part in _recorded()[0] | _documented()[0]


@pytest.mark.parametrize("part", SERVER_PARTS.values(), ids=SERVER_PARTS)
def test_each_part_of_a_server_has_a_case(part: Part) -> None:
    assert part in _recorded()[1] | _documented()[1]


@pytest.mark.parametrize("side", [0, 1], ids=["clients", "servers"])
def test_sources_say_what_was_recorded(side: int) -> None:
    libraries = (load().clients, load().servers)[side]
    recorded = {part.library for part in _recorded()[side]}
    for index, library in enumerate(libraries):
        assert library.source.startswith("recorded") == (index in recorded), library.source


def test_a_version_that_the_peer_says_itself_is_in_the_last_condition() -> None:
    for library in (*load().clients, *load().servers):
        for conditions, bound in library.versions:
            if "\\" in bound:
                assert bound == GROUP, library.name
                assert conditions[-1][1].groups == 1, library.name
