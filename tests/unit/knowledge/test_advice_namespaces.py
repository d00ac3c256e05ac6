"""What a user is told to change where clients and servers disagree on namespaces."""

import pytest

from eiosniff.knowledge import advice
from eiosniff.model.peers import Client, Identity, Server
from tests.unit.knowledge.peers import HERE, THERE

JS = "socket.io-client-js-browser"
AGAIN = {"outcome": " again and again"}
BEHIND, INSIDE = {"where": "behind the name of the namespace"}, {"where": "in the CONNECT packet"}


def told(rule: str, client: str, server: str = "", values: dict[str, str] | None = None) -> str:
    """All texts, those for the client first."""
    one = Client(HERE.address, "", THERE, identity=Identity(client, client)) if client else None
    other = Server(THERE, identity=Identity(server, server)) if server else None
    return "\n".join(advice(rule, one, other, values or {}))


@pytest.mark.parametrize(
    ("rule", "client", "server", "values", "expected"),
    [
        ("namespace-invalid", JS, "socket.io", {}, ['io("https://host/name")', 'io.of("/name")']),
        ("namespace-invalid", "python-socketio-client", "", {}, ['namespaces=["/name"]']),
        ("namespace-invalid", "socket.io-client-java", "", {}, ["setPath("]),
        ("namespace-invalid", "", "python-socketio", {}, ['namespace="/name"', "letter by letter"]),
        ("namespace-invalid", "", "netty-socketio", {}, ["addNamespace"]),
        ("namespace-not-joined", "arduinoWebSockets", "", {}, ['sIOtype_CONNECT, "/name"']),
        ("namespace-not-joined", "websocket-package", "", {}, ["with the comma"]),
        ("double-connect", JS, "", {"left": " before the server has acted on its DISCONNECT"}, ["setTimeout"]),
        ("double-connect", "arduinoWebSockets", "", {}, ["once"]),
        ("auth-misplaced", JS, "", BEHIND, ["auth: { token"]),
        ("auth-misplaced", "websocket-package", "", BEHIND, ['40{"token"']),
        ("auth-misplaced", "websocket-package", "", INSIDE, ["EIO=3&transport=websocket&token="]),
        ("auth-misplaced", "socket.io-client-swift", "", BEHIND, ["withPayload"]),
        ("server-kick-no-reconnect", JS, "socket.io", {}, ["io server disconnect", "io.use("]),
        ("server-kick-no-reconnect", JS, "socket.io", AGAIN, ["io.use(", "give up after a few times"]),
        ("server-kick-no-reconnect", "", "python-socketio", {}, ["ConnectionRefusedError", "with a pause"]),
        ("recovery-failed", "", "socket.io", {"why_not": "other process"}, ["redis-streams", "socket.recovered"]),
        ("recovery-failed", "", "socket.io", {"why_not": "too late"}, ["maxDisconnectionDuration"]),
        ("recovery-failed", "", "socket.io", {"why_not": "no offset"}, ["as soon as it has joined"]),
        ("recovery-failed", "", "socket.io", {"why_not": "still open"}, ["shorter pingInterval"]),
        ("admin-ui-exposed", "", "", {"how": "with a password that anybody on the way can read"}, ["over TLS only"]),
    ],
)
def test_the_change_is_that_of_the_library(
    rule: str, client: str, server: str, values: dict[str, str], expected: list[str]
) -> None:
    text = told(rule, client, server, values)
    assert all(words in text for words in expected), text


@pytest.mark.parametrize(
    ("rule", "client", "server", "values", "unwanted"),
    [
        ("auth-misplaced", "websocket-package", "", INSIDE, '40{"token"'),
        ("double-connect", JS, "", {"left": " without leaving it"}, "setTimeout"),
        ("recovery-failed", "", "socket.io", {"why_not": "too late"}, "redis-streams"),
        ("recovery-failed", "", "socket.io", {"why_not": "other process"}, "maxDisconnectionDuration"),
        ("admin-ui-exposed", "", "", {"how": "without any password"}, "over TLS only"),
        ("server-kick-no-reconnect", JS, "socket.io", AGAIN, "if it is to come back"),
        ("ack-missing", "", "socket.io", {"other": "server", "waits": "perhaps not"}, "letter by letter"),
    ],
)
def test_what_would_not_help_is_not_told(
    rule: str, client: str, server: str, values: dict[str, str], unwanted: str
) -> None:
    assert unwanted not in told(rule, client, server, values)
