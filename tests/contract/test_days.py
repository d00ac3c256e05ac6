"""Days of traffic leave no more than hours of it: a small version of `tests.bench.hours`, in which all is counted."""

import pytest

from eiosniff import app
from eiosniff.decode.sessions import register, roster
from eiosniff.decode.tcp import connects, gone
from eiosniff.rules import engine
from tests.bench.hours import Hours, parts

pytestmark = pytest.mark.interpreted

KEPT = 20
SCALE = 0.05  # of the hour of the bench: some 4,000 packets
SETTLED, HOURS = 4, 10


def _sizes(analysis: app.Analysis) -> dict[str, int]:
    stack, judge = analysis.stack, analysis._judge
    table, openings = stack._flows, stack.sessions._openings
    books, peers = openings.register, openings.peers
    return {
        "open connections": len(table._flows),
        "what is left of others": len(table._gone),
        "of these, in order": len(table._gone._buried),
        "watched connections": len(table._watches._waiting),
        "reset connections": len(table._lingering),
        "undecided connections": len(stack._sniffers),
        "connections whose hellos are read": len(stack._unread._handshakes),
        "connections that failed": len(stack._connects._once) + len(stack._connects._again),
        "pairs that came about": len(stack._connects._reached),
        "kinds of protocols": len(stack._protocols),
        "sessions": len(books.states),
        "session ids": len(books.by_sid) + len(books._by_bare_sid) + len(books._retired_sids),
        "hops": len(books._unmatched) + len(openings._hop_ledgers) + len(openings.hops._waiting),
        "clients": len(peers.clients),
        "servers": len(peers.servers),
        "open sessions of servers": sum(len(server.fleet.open) for server in peers.servers.values()),
        "chains of session ids": len(peers.sids._seen),
        "findings": len(judge._merged),
        "findings of clients": len(judge._unsettled),
        "faulty sessions": len(judge.faulty),
    }


def test_days_leave_no_more_than_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone, "REMEMBERED_PACKETS", 4_000)
    monkeypatch.setattr(connects, "MAX_FAILED_CONNECTS", 40)
    monkeypatch.setattr(connects, "MAX_REACHED", 40)
    monkeypatch.setattr(register, "MAX_RETIRED_SIDS", 40)
    monkeypatch.setattr(roster, "_MOST_SILENT", 20)
    monkeypatch.setattr(engine, "FEWEST_FINDINGS", 40)
    monkeypatch.setattr(engine, "MAX_PLACES", 100)
    options = app.Options(max_sessions=KEPT, kept_sessions=KEPT)
    analysis = app.Analysis("live", options, app.chosen_rules(options))
    hours = Hours(parts(SCALE))
    seen: list[dict[str, int]] = []
    for _ in range(HOURS):
        for batch in hours.next():
            analysis.stack.feed(batch)
            analysis.fold()
        seen.append(_sizes(analysis))
    assert not analysis.stack.crashes
    settled, later = seen[1:SETTLED], seen[SETTLED:]
    for what in seen[0]:
        most = max(sizes[what] for sizes in settled)
        assert max(sizes[what] for sizes in later) <= most * 1.3 + 10, what
    places, findings = analysis._judge._room.taken, len(analysis._judge._merged)
    assert places <= engine.MAX_PLACES + engine.PLACES_OF_EACH * findings
    assert analysis.stack.sessions.total > 10 * KEPT
    assert analysis.stack._flows.connections > 20 * max(sizes["open connections"] for sizes in seen)
