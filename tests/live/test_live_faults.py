"""The two faults that eiosniff began with, while real peers show them: told within a second of the packet that proves
them, by every way to capture."""

import pytest
from faulty_peers.peers import CLIENT_2, SERVER_4

from tests.live.cast import BACKENDS, old_arduino, serve, visit
from tests.live.watcher import found, proof_ns

pytestmark = pytest.mark.interop

# tcpdump hands packets on once a second, and that is not eiosniff's to change.
LIMIT_MS = {"dumpcap": 1000, "scapy": 1000, "tcpdump": 2000}
PLACES = [*((backend, "server") for backend in BACKENDS), ("dumpcap", "client")]


def refused_client(lab):
    """Says each time that it was refused."""
    return visit(
        lab, CLIENT_2, ready=None, options={"transports": ["polling"], "reconnectionDelay": 400}
    ), "connect_error"


def pinging_client(lab):
    return old_arduino(lab, ping_ms=600), "PING"


@pytest.mark.parametrize(("backend", "side"), PLACES)
@pytest.mark.parametrize(
    ("rule", "play"), [("eio-unsupported-polling", refused_client), ("client-ping-in-eio4", pinging_client)]
)
def test_told_within_a_second(lab, watch, backend, side, rule, play):
    serve(lab, SERVER_4)
    watcher = watch("--backend", backend, side=side)
    client, word = play(lab)
    told = watcher.wait_for(found(rule))
    late_ms = (told.read_ns - proof_ns(told.event)) / 1e6
    print(f"\n{rule}, {backend} at the {side}: {late_ms:.0f} ms")
    # It goes on trying, which is the same fault.
    client.wait_for(word, since=len(client.output.splitlines()))
    report = watcher.end()
    cause = report["diagnoses"][0]
    assert (cause["name"], cause["severity"], cause["certainty"]) == (rule, "error", "certain")
    assert cause["occurrences"] >= 2
    assert [event["diagnosis"]["name"] for event in watcher.of("finding-new")].count(rule) == 1
    assert told.event["diagnosis"]["evidence"][0] == cause["evidence"][0], "it was told at its first occurrence"
    assert late_ms < LIMIT_MS[backend]
