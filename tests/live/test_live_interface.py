"""An interface that goes down, comes back, is deleted and made again while it is captured: that is told, and the
capture goes on."""

import pytest
from lab import DEVICE

from tests.live.cast import BACKENDS, serve, sessions_of, visit
from tests.live.watcher import blamed, of_sid

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_interface_that_vanishes(lab, watch, backend):
    server = serve(lab)
    watcher = watch("--backend", backend)

    def a_session():
        before = set(sessions_of(server))
        visit(lab, ready=None, lifeMs=300).wait(20)
        (sid,) = set(sessions_of(server)) - before
        watcher.wait_for(of_sid("session-opened", sid))
        watcher.wait_for(of_sid("session-closed", sid))
        return sid

    def lost_and_found(lose, find):
        told = len(watcher.of("capture"))
        lose()
        watcher.wait_for(lambda event: len(watcher.of("capture")) == told + 1)
        find()
        watcher.wait_for(lambda event: len(watcher.of("capture")) == told + 2)
        down, up = watcher.of("capture")[told:]
        assert (down["what"], up["what"]) == ("interface-down", "interface-up")
        return down["text"], up["text"]

    sids = [a_session()]
    assert lost_and_found(
        lambda: lab.run_ip("server", ["link", "set", DEVICE, "down"]),
        lambda: lab.run_ip("server", ["link", "set", DEVICE, "up"]),
    ) == ("eth0 is down", "captures on eth0 again")
    sids.append(a_session())
    assert lost_and_found(lab.remove_wire, lab.lay_wire) == ("eth0 is gone", "captures on eth0 again")
    sids.append(a_session())
    report = watcher.end()
    assert sorted(session["sid"] for session in report["sessions"]) == sorted(sids)
    assert blamed(watcher) == []
    packets = [event["packet"] for event in watcher.of("session-opened")]
    assert packets == sorted(packets), "packets are numbered through"
    assert watcher.said == ""
