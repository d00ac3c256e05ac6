"""Where a recording that fails parts from one that works: the first difference is at the step of the known cause."""

import io
from collections import Counter
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest
from rich.console import Console

from eiosniff import app
from eiosniff.comparison import choice, weighing
from eiosniff.comparison.recorder import Recorder
from eiosniff.comparison.steps import steps_of
from eiosniff.knowledge import differences
from eiosniff.model.comparison import Comparison, Conversation, Verdict
from eiosniff.model.finding import Severity
from eiosniff.report import comparison as comparison_text
from eiosniff.report.redact import Redactor
from tests.cases import RECORDED, recordings, report_of
from tests.matrix import CELLS

BROWSER = RECORDED / "variants" / "browser--node-4.8.4--chromium-4.8.4--upgrade.pcap"
NODE = RECORDED / "healthy" / "node-4.8.4--node-4.8.4--upgrade.pcap.gz"
NODE_WEBSOCKET = RECORDED / "healthy" / "node-4.8.4--node-4.8.4--websocket.pcap.gz"
PYTHON = RECORDED / "healthy" / "python-5.18.1--python-5.18.1--upgrade.pcap.gz"
NODE_2 = RECORDED / "healthy" / "node-2.5.1--node-2.5.0--upgrade.pcap.gz"
AUTHENTICATED = RECORDED / "near_miss" / "connect-error-auth-accepted.pcap"
ARDUINO = RECORDED / "arduino"
OLD_EIO3 = ARDUINO / "s3-arduino-old-eio3-to-v312-400.pcap"
OLD_EIO4 = ARDUINO / "s3-arduino-old-eio4-to-v484.pcap"
NEW = ARDUINO / "s3-arduino-head-eio4-to-v484.pcap"

# By the cell of the table of who gets on with whom: step and facts at which any client that gets on with that server
# parts from the one that does not. For HTTP088 the server takes issue with the origin, for EIO211 the client with the
# answer, which it does not use; what it asks for is as in the other.
STEPS = {
    "EIO001": ("request", {"query EIO"}),
    "EIO002": ("request", {"query EIO"}),
    "EIO003": ("request", {"query EIO"}),
    "EIO004": ("request", {"query EIO"}),
    "EIO006": ("request", {"query EIO", "path"}),
    "EIO038": ("heartbeat", {"who pings"}),
    "EIO211": ("polling", {"polls", "fault"}),
    "EIO212": ("upgrade", {"goes on over", "confirmed", "probe", "fault"}),
    "HTTP088": ("request", {"header Origin"}),
}
# Without the rules, by the facts alone: so many of a hundred pairs part there all the same (98 of 424 do not: what an
# Arduino does with a session that it was given, and what a server has against an origin, are not in one fact).
LEAST_BY_ITSELF = 75

FAULTY = [
    (NODE, "wrong-path-websocket-fin-after-1s", "request", "path"),
    (NODE, "wrong-path-no-slash-polling", "request", "path"),
    (NODE, "wrong-path-namespace-as-path", "request", "path"),
    (NODE, "handshake-redirect-followed-301", "request", "path"),
    (NODE, "handshake-method-post-v4-server", "request", "method"),
    (NODE, "transport-unknown-missing-v4-server", "request", "query transport"),
    (NODE, "transport-duplicated-polling-v4.7-server", "request", "query transport (2)"),
    # The requests are alike, and the servers are not.
    (NODE, "wrong-path-express-404", "answer", "answer"),
    (NODE, "transport-disabled-polling-v4-server", "answer", "answer"),
    (PYTHON, "origin-rejected-python5-server", "request", "header Origin"),
    (NODE_WEBSOCKET, "subprotocol-refused-python5-server-websocket-only", "request", "header Sec-WebSocket-Protocol"),
    (AUTHENTICATED, "connect-error-auth-v4-server", "connect", "answer"),
    (NODE, "no-connect-packet-v4-server-3s", "connect", "asks"),
    (NODE, "auth-misplaced-v4-server", "connect", "auth"),
    (NODE, "namespace-invalid-v4-server", "connect", "answer"),
    (NODE, "upgrade-headers-stripped-nginx-v4-server", "upgrade", "goes on over"),
    (NODE, "sid-unknown-sticky-haproxy-roundrobin", "polling", "refused"),
    (NODE, "affinity-cookie-lost-node-client-without-credentials", "polling", "cookies sent back"),
    (NODE, "client-ping-in-eio4-v4-server", "heartbeat", "who pings"),
    (NODE_2, "eio3-no-client-ping-raw-v2-server", "heartbeat", "silence"),
    (NODE, "tls-failure-python-client-tls-1.2", "tls", "fault"),
    (NODE, "tcp-refused-nobody-listens", "connection", "connects"),
]


# Together these have each fact that there is.
TELLING = (
    "faulty/cors-bad-combination-preflight-nginx-401.pcap",
    "faulty/double-connect-python5-server.pcap",
    "faulty/double-heartbeat-aiohttp-client.pcap",
    "faulty/poll-cut-by-client-raw-2s-python5-server.pcap",
    "faulty/recovery-failed-cluster-three-workers.pcap",
    "faulty/slow-consumer-busy-client.pcap",
    "faulty/subprotocol-refused-python5-server-browser.pcap",
    "faulty/subprotocol-refused-python5-server-upgrade.pcap",
    "faulty/transport-duplicated-websocket-v4.7-server.pcap",
    "faulty/upgrade-duplicate-python5-server.pcap",
    "variants/browser--node-2.5.1--chromium-2.5.0--upgrade.pcap",
    "variants/damaged-msgpack--node-4.8.4--node-4.8.4--upgrade-client-only.pcap",
    "variants/jsonp--node-1.3.7--chromium-1.3.7--polling.pcap",
)


@cache
def material(path: Path, batch_size: int = 35_000) -> choice.Material:
    recorder = Recorder()
    return choice.Material(app.analyze([str(path)], app.Options(batch_size=batch_size), None, recorder), recorder)


def compare(working: Path, failing: Path) -> Comparison:
    return app.compare(str(working), str(failing), app.Options())


def compare_quickly(working: Path, failing: Path, *, rules: bool = True) -> Comparison:
    """Without decoding both again for each pair; without `rules`, nothing but the facts is known."""
    good, bad = material(working), material(failing)
    one = choice.working(good, choice.Wanted())
    other = choice.failing(bad, choice.Wanted(), weighing.rules_of(one, good.report), None)
    diagnoses = bad.report.diagnoses
    try:
        if not rules:
            bad.report.diagnoses = []
        return weighing.compare(one, other, good.report, bad.report)
    finally:
        bad.report.diagnoses = diagnoses


def place(comparison: Comparison) -> tuple[str, str]:
    difference = comparison.difference
    return (difference.step.kind, difference.fact.name) if difference is not None else ("", "")


def matrix_pairs() -> list[tuple[str, Path, Path]]:
    """At each server, each client that gets on with it, against each that does not."""
    paths = {(entry["row"], entry["column"]): entry["path"] for entry in recordings("matrix")}
    return [
        (cause, paths[working], paths[failing])
        for failing, cause in CELLS.items()
        if cause != "yes"
        for working, verdict in CELLS.items()
        if verdict == "yes" and working[1] == failing[1]
    ]


def test_at_each_server_who_does_not_get_on_with_it_parts_at_the_known_cause() -> None:
    pairs = matrix_pairs()
    assert len(pairs) > 400
    wrong: Counter[tuple[object, ...]] = Counter()
    for cause, working, failing in pairs:
        comparison = compare_quickly(working, failing)
        kind, facts = STEPS[cause]
        step, fact = place(comparison)
        root = comparison.diagnosis
        if step != kind or fact not in facts or root is None or root.finding.rule != cause:
            wrong[cause, step, fact, root and root.finding.rule] += 1
    assert not wrong


def test_most_part_there_by_the_facts_alone() -> None:
    pairs = matrix_pairs()
    right = 0
    for cause, working, failing in pairs:
        step, fact = place(compare_quickly(working, failing, rules=False))
        right += step == STEPS[cause][0] and fact in STEPS[cause][1]
    assert right * 100 >= LEAST_BY_ITSELF * len(pairs)


@pytest.mark.parametrize(("working", "name", "step", "fact"), FAULTY, ids=[name for _, name, _, _ in FAULTY])
def test_each_kind_of_difference(working: Path, name: str, step: str, fact: str) -> None:
    comparison = compare_quickly(working, next(RECORDED.glob(f"faulty/{name}.pcap")))
    assert comparison.verdict is Verdict.DIFFER
    assert place(comparison) == (step, fact)
    assert comparison.diagnosis is not None


@pytest.mark.parametrize("name", ["client-ping-tls-1.3", "eio3-refused-nginx", "chromium-tls-1.3", "python-tls-1.2"])
def test_what_is_encrypted_parts_where_it_parts_in_clear(name: str) -> None:
    """These captures carry their secrets."""
    encrypted, clear = RECORDED / "tls" / f"{name}.pcapng", RECORDED / "tls" / f"{name}-clear.pcap"
    assert place(compare_quickly(BROWSER, encrypted)) == place(compare_quickly(BROWSER, clear))
    if not name.startswith("eio3"):
        assert compare_quickly(clear, encrypted).difference is None


@pytest.mark.parametrize(
    ("name", "step", "fact"),
    [
        ("chromium-eio3-refused", "request", "query EIO"),
        ("chromium-client-ping", "heartbeat", "who pings"),
        ("chromium-refused", "connection", "connects"),
        ("chromium-certificate", "request", "fault"),
        ("chromium-upgrade", "", ""),
        ("firefox-upgrade", "", ""),
    ],
)
def test_what_a_browser_exported_is_a_capture_too(name: str, step: str, fact: str) -> None:
    assert place(compare_quickly(BROWSER, RECORDED / "har" / f"{name}.har.gz")) == (step, fact)


# ---------------------------------------------------------------- the story that the project comes from


def test_the_browser_works_and_the_arduino_asks_for_the_old_protocol() -> None:
    comparison = compare(BROWSER, OLD_EIO3)
    assert place(comparison) == ("request", "query EIO")
    assert comparison.diagnosis is not None
    assert comparison.diagnosis.finding.rule == "EIO001"
    assert comparison.difference is not None
    pair = comparison.difference.fact
    assert [fact and fact.value for fact in (pair.working, pair.failing)] == ["4", "3"]


@pytest.mark.parametrize("working", [BROWSER, NEW, OLD_EIO4], ids=["browser", "new library", "the same capture"])
def test_the_browser_works_and_the_arduino_pings(working: Path) -> None:
    comparison = compare(working, OLD_EIO4)
    assert place(comparison) == ("heartbeat", "who pings")
    assert comparison.diagnosis is not None
    assert comparison.diagnosis.finding.rule == "EIO038"
    assert comparison.failing.session is not comparison.working.session


# ---------------------------------------------------------------- nothing that matters


@pytest.mark.parametrize(
    ("working", "failing"),
    list(permutations((NODE, NODE_WEBSOCKET, PYTHON, BROWSER, NEW), 2)),
    ids=lambda path: path.stem,
)
def test_of_two_that_work_no_difference_matters(working: Path, failing: Path) -> None:
    """Polling first or WebSocket at once, Node or a browser, another path: both ways are fine."""
    comparison = compare_quickly(working, failing)
    assert comparison.verdict is Verdict.BOTH_FINE
    assert comparison.difference is None


@pytest.mark.parametrize("reference", [NODE, NODE_2], ids=lambda path: path.stem)
@pytest.mark.parametrize("index", ["healthy", "libraries"])
def test_what_works_parts_from_nothing_that_works(index: str, reference: Path) -> None:
    """Whatever the libraries and revisions: but where a rule names a fault all the same."""
    parted, compared = [], 0
    for path in (entry["path"] for entry in recordings(index)):
        loud = any(each.finding.severity > Severity.INFO for each in report_of(path).diagnoses)
        if not loud and path != reference:
            compared += 1
            if compare_quickly(reference, path).difference is not None:
                parted.append(path.name)
    assert parted == []
    assert compared > 30


def test_both_fail_alike() -> None:
    one, other = (RECORDED / "faulty" / f"client-ping-in-eio4-{name}.pcap" for name in ("v4-server", "v3.0-server"))
    comparison = compare_quickly(one, other)
    assert comparison.verdict is Verdict.FAIL_ALIKE
    assert [each.finding.rule for each in comparison.shared] == ["EIO038"]


def test_each_fact_that_the_data_weighs_is_one_that_there_is() -> None:
    """A name in `compare.toml` that no conversation has would never weigh anything."""
    known = differences.load()
    seen: set[tuple[str, str]] = set()
    for name in TELLING:
        found = material(RECORDED / name)
        conversations = [found.conversation(session, "") for session in found.report.sessions]
        conversations += [
            found.attempted(client, attempt, "")
            for client in found.recorder.clients
            for tally in client.attempts.values()
            for attempt in tally
        ]
        conversations += [Conversation(found.report.captures[0], client) for client in found.recorder.clients]
        seen |= {
            (step.kind, fact.name.lower()) for each in conversations for step in steps_of(each) for fact in step.facts
        }
    named = {(kind, fact) for kind, step in known.steps.items() for fact in step.breaks | step.always}
    named |= {(at.kind, fact.lower()) for at in known.rules.values() for fact in at.facts}
    named |= {(kind, fact) for kind, _, fact in (name.partition(".") for name in known.words)}
    assert sorted(named - seen) == []


@pytest.mark.parametrize("size", [1, 7, 100, 50_000])
def test_the_result_does_not_depend_on_how_the_input_is_cut(size: int) -> None:
    def told(comparison: Comparison) -> object:
        return [
            (step.kind, step.label, pair.name, pair.working, pair.failing, pair.importance)
            for step in comparison.pairs
            for pair in step.facts
        ]

    whole = compare(BROWSER, OLD_EIO4)
    cut = app.compare(str(BROWSER), str(OLD_EIO4), app.Options(batch_size=size))
    assert told(cut) == told(whole)
    assert place(cut) == place(whole)


# ---------------------------------------------------------------- what a capture does not show


@pytest.mark.parametrize(
    "name",
    [
        "damaged-msgpack--node-4.8.4--node-4.8.4--upgrade-server-only",
        "late-healthy-deflate--node-2.5.1--node-2.5.0--websocket-late",
    ],
)
def test_what_a_capture_lacks_is_not_what_goes_wrong(name: str) -> None:
    assert compare_quickly(BROWSER, RECORDED / "variants" / f"{name}.pcap").difference is None


def test_a_poll_that_is_cut_after_the_upgrade_is_missed_by_nobody() -> None:
    assert compare_quickly(BROWSER, RECORDED / "matrix" / "java-1--netty-1.7.pcap").difference is None


def test_what_is_as_it_should_be_is_not_the_difference() -> None:
    slow = RECORDED / "faulty" / "duplicate-event-retries-slow-server.pcap"
    found = compare_quickly(RECORDED / "matrix" / "java-2--googollee.pcap", slow)  # which asks for no acknowledgement
    assert place(found) == ("events", "fault")
    console = Console(file=io.StringIO(), width=80)
    comparison_text.write(found, console, Redactor())
    assert "\n>   fault " in console.file.getvalue()  # type: ignore[attr-defined]
