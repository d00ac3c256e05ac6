"""What a user is told to change: for the libraries that are there, the client's first."""

import ast
from pathlib import Path

import pytest

from eiosniff.knowledge import advice, load
from eiosniff.knowledge.library import UNKNOWN, Library, load_advice
from eiosniff.model.peers import Client, Identity, Server
from eiosniff.rules.registry import all_rules
from tests.unit.knowledge.peers import HERE, THERE

OLD_CLIENT = {"asked": "EIO=3", "eio": "3", "reaction": "answers 400 without a 101"}
NEW_CLIENT = {"asked": "EIO=4", "eio": "4"}


def _client(library: str) -> Client:
    return Client(HERE.address, "", THERE, identity=Identity(library, library) if library else None)


def _server(library: str) -> Server:
    return Server(THERE, identity=Identity(library, library) if library else None)


def _told(rule: str, client: str, server: str, values: dict[str, str]) -> list[str]:
    return advice(rule, _client(client), _server(server), values)


def test_the_change_of_the_client_comes_before_that_of_the_server() -> None:
    told = _told("eio-unsupported-polling", "socket.io-client-js-node", "socket.io", OLD_CLIENT)
    assert "npm install socket.io-client@4" in told[0]
    assert "allowEIO3: true" in told[1]
    assert "Not for ever" in told[2]
    assert len(told) == 3  # nothing in general: the client is known


def test_a_client_that_is_not_known_is_told_in_general() -> None:
    told = _told("eio-unsupported-polling", "", "socket.io", OLD_CLIENT)
    assert "asks for EIO=4" in told[0]
    assert "allowEIO3: true" in told[1]
    assert advice("eio-unsupported-polling", None, None, OLD_CLIENT) == told[:1]


def test_what_is_for_no_library_comes_last_and_only_without_anything_for_the_client() -> None:
    general = advice("connect-loop", None, None, {})
    assert len(general) == 1
    assert _told("connect-loop", "", "socket.io", {})[1:] == general
    assert general[0] not in _told("connect-loop", "socket.io-client-js-node", "socket.io", {})


@pytest.mark.parametrize("rule", ["eio-unsupported-polling", "eio-unsupported-ws"])
@pytest.mark.parametrize("server", ["python-socketio", "socketioxide", "netty-socketio", ""])
def test_only_a_server_on_node_is_told_of_its_option(rule: str, server: str) -> None:
    assert not any("allowEIO3" in text for text in _told(rule, "arduinoWebSockets", server, OLD_CLIENT))


def test_a_server_that_refuses_by_silence_may_well_be_one_on_node() -> None:
    silence = OLD_CLIENT | {"reaction": "accepts the WebSocket (101) and then says nothing for 20 s, until the end"}
    told = _told("eio-unsupported-ws", "socket.io-client-js-node", "", silence)
    assert "socket.io-client@4" in told[0]
    assert "if it runs on Node" in told[1]


def test_a_python_server_that_is_older_than_its_client_is_to_be_upgraded() -> None:
    told = _told("eio-unsupported-polling", "socket.io-client-js-node", "python-socketio", NEW_CLIENT)
    assert any("upgrade to python-socketio 5" in text for text in told)
    assert any("socket.io-client@2" in text for text in told)
    assert not any("socket.io-client@4" in text for text in told)


def test_the_board_is_told_what_to_write_where() -> None:
    told = _told("client-ping-in-eio4", "arduinoWebSockets", "socket.io", {})
    assert "2.3.3" in told[0]
    assert "begin()" in told[0]
    told = _told("no-connect-packet", "arduinoWebSockets", "python-socketio", {})
    assert 'socketIO.send(sIOtype_CONNECT, "/")' in told[0]


def test_advice_for_a_frozen_client_is_not_given_where_the_network_is_gone() -> None:
    assert _told("pong-missing", "arduinoWebSockets", "socket.io", {"verdict": "it was frozen"})
    assert not _told("pong-missing", "arduinoWebSockets", "socket.io", {"verdict": "the network is gone"})


def test_a_rule_that_nothing_is_known_of_gives_its_own_advice() -> None:
    assert advice("capture-gap", _client("arduinoWebSockets"), _server("socket.io"), {}) == []


# ---------------------------------------------------------------- the data as a whole

ENTRIES = load_advice()
RULES = {rule.name: rule for rule in all_rules()}


def test_each_entry_is_for_rules_and_libraries_that_exist() -> None:
    knowledge = load()
    clients = {library.id for library in knowledge.clients}
    servers = {library.id for library in knowledge.servers}
    for entry in ENTRIES:
        assert entry.rules, entry.text
        assert entry.rules <= RULES.keys(), entry.text
        assert entry.clients <= clients | {UNKNOWN}, entry.text
        assert entry.servers <= servers | {UNKNOWN}, entry.text


def test_conditions_are_on_values_that_hits_have() -> None:
    supplied = {name: _values(Path(rule.file)) for name, rule in RULES.items()}
    for entry in ENTRIES:
        for value, _ in entry.when:
            assert any(value in supplied[rule] for rule in entry.rules), f"{value}: {entry.text}"


def _values(file: Path) -> set[str]:
    """The names of what a rule puts into its hits."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    hits = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Hit"]
    return {keyword.arg for call in hits for keyword in call.keywords if keyword.arg}


def test_texts_are_short_and_no_two_are_the_same_for_anybody() -> None:
    for entry in ENTRIES:
        assert len(entry.text) <= 220, entry.text
        assert entry.text[0].isupper(), entry.text
        assert entry.text.endswith("."), entry.text
        assert entry.source
    for client in {library.id for library in load().clients} | {""}:
        for server in {library.id for library in load().servers} | {""}:
            for rule in RULES:
                told = _told(rule, client, server, {})
                assert len(set(told)) == len(told), (rule, client, server)


@pytest.mark.parametrize("library", [*load().clients, *load().servers], ids=lambda library: library.name)
def test_each_fingerprint_says_where_it_is_from(library: Library) -> None:
    assert library.source.startswith(("recorded", "documented: "))


def test_the_usual_interval_is_not_advised_to_a_server_that_has_it() -> None:
    slow = _told("heartbeat-vs-proxy", "", "socket.io", {"pings": "slow", "proxy": ""})
    usual = _told("heartbeat-vs-proxy", "", "socket.io", {"pings": "usual", "proxy": ""})
    assert "pingInterval: 25000" in slow[0]
    assert "Proxy: raise its timeout" in usual[0]
    assert not any("25000" in text for text in usual)


def test_the_client_comes_first_where_its_url_is_wrong() -> None:
    for client in ("", "arduinoWebSockets"):
        told = _told("transport-duplicated", client, "socket.io", {"answered": '400 "Transport unknown"'})
        assert [text.partition(":")[0] for text in told] == ["Client", "Server, if clients cannot change"]


def test_what_express_says_shows_a_server_that_listens_beside_socketio() -> None:
    client = "socket.io-client-js-node"
    express = _told(
        "wrong-path", client, "", {"reason": "usual", "reaction": 'answers 404, the page "Cannot GET /socket.io/"'}
    )
    other = _told("wrong-path", client, "", {"reason": "usual", "reaction": 'answers 404, the page "404 Not Found"'})
    assert "app.listen()" in express[0]
    assert not any("app.listen()" in text for text in other)
