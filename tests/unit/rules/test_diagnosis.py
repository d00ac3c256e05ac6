"""The root cause first, what it explains under it."""

import pytest

from eiosniff.model.finding import Certainty, Diagnosis, Finding, Severity
from eiosniff.model.peers import Client, Server
from eiosniff.model.session import Session
from eiosniff.rules.api import Rule
from eiosniff.rules.diagnosis import diagnose

A, B = ("client", "10.0.0.7", "s"), ("client", "10.0.0.8", "s")
AT_SERVER = ("server", "s")


def finding(name: str, *subjects: object, **given: object) -> Finding:
    fields: dict[str, object] = {
        "severity": Severity.ERROR, "certainty": Certainty.CERTAIN, "occurrences": 1, "first_packet": 1,
        "capture": "a.pcap", **given,
    }  # fmt: skip
    return Finding(
        rule=name.upper(), name=name, title="", summary="", why="", fix=[], period_ns=None, evidence=[], sessions=[],
        clients=[], servers=[], subjects=frozenset(subjects or (A, AT_SERVER)), **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def rules(subject: type = Session, **explains: str) -> list[Rule]:
    """Rules by name, with the names that each explains."""
    return [
        Rule(
            name.upper(),
            name,
            subject,
            Severity.ERROR,
            "",
            "",
            "",
            "",
            (),
            tuple(names.split()),
            False,
            False,
            "",
            iter,
            "",
            "",
        )
        for name, names in explains.items()
    ]


def shape(diagnoses: list[Diagnosis]) -> list[str]:
    return [" + ".join([d.finding.name, *(finding.name for finding in d.consequences)]) for d in diagnoses]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([finding("loop"), finding("cause")], ["cause + loop"]),
        ([finding("pauses"), finding("loop"), finding("cause")], ["cause + pauses + loop"]),
        ([finding("pauses"), finding("loop")], ["loop + pauses"]),
        ([finding("loop", A), finding("cause", B)], ["loop", "cause"]),
        # What is about a server alone is explained by what happened to any client of it.
        ([finding("loop", AT_SERVER), finding("cause", A, AT_SERVER)], ["cause + loop"]),
        ([finding("loop", A, AT_SERVER), finding("cause", B, AT_SERVER)], ["loop", "cause"]),
        ([finding("loop", ("session", 1)), finding("cause", ("session", 1), A)], ["cause + loop"]),
        ([finding("loop", ("session", 1), A), finding("cause", ("session", 2), A)], ["cause + loop"]),
        ([finding("loop"), finding("cause", capture="b.pcap")], ["loop", "cause"]),
        ([finding("loop"), finding("unknown")], ["loop", "unknown"]),
        ([], []),
    ],
)
def test_what_is_explained_goes_under_its_cause(found: list[Finding], expected: list[str]) -> None:
    assert shape(diagnose(found, rules(cause="loop pauses", loop="pauses"))) == expected


def test_a_fault_of_the_server_explains_those_of_all_its_clients() -> None:
    found = [finding("loop", A, AT_SERVER), finding("loop", B, AT_SERVER), finding("cause", AT_SERVER)]
    assert shape(diagnose(found, rules(Server, cause="loop"))) == ["cause + loop + loop"]


def test_the_best_ranked_cause_takes_it() -> None:
    found = [
        finding("loop"),
        finding("other", occurrences=50),
        finding("cause", occurrences=2, certainty=Certainty.POSSIBLE),
    ]
    assert shape(diagnose(found, rules(cause="loop", other="loop"))) == ["other + loop", "cause"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"severity": Severity.ERROR, "certainty": Certainty.POSSIBLE}, {"severity": Severity.WARNING}),
        ({"severity": Severity.WARNING}, {"severity": Severity.INFO, "occurrences": 9}),
        ({"certainty": Certainty.CERTAIN}, {"certainty": Certainty.LIKELY, "occurrences": 9}),
        ({"certainty": Certainty.LIKELY}, {"certainty": Certainty.POSSIBLE}),
        ({"occurrences": 2, "first_packet": 9}, {"occurrences": 1, "first_packet": 1}),
        ({"first_packet": 1}, {"first_packet": 2}),
    ],
)
def test_ranking(first: dict[str, object], second: dict[str, object]) -> None:
    found = [finding("second", B, **second), finding("first", A, **first)]
    assert shape(diagnose(found, rules())) == ["first", "second"]


def test_what_explains_more_comes_first() -> None:
    found = [finding("cause", A), finding("loop", A), finding("other", B, occurrences=7)]
    assert shape(diagnose(found, rules(cause="loop"))) == ["cause + loop", "other"]


def test_many_findings_are_related_in_no_time() -> None:
    """As many clients as a port scan shows; compared each with each this would take minutes."""
    clients = [("client", str(number), "s") for number in range(20_000)]
    found = [finding(name, client) for client in clients for name in ("loop", "cause")]
    diagnoses = diagnose(found, rules(Client, cause="loop"))
    assert len(diagnoses) == 20_000
    assert all(len(diagnosis.consequences) == 1 for diagnosis in diagnoses)


def test_what_did_no_harm_belongs_to_the_fault_of_its_own_rule() -> None:
    note = {"severity": Severity.INFO}
    found = [finding("slow", A, AT_SERVER), finding("slow", B, AT_SERVER, **note), finding("fast", A, **note)]
    assert shape(diagnose(found, rules(slow="", fast=""))) == ["slow + slow", "fast"]
    elsewhere = [finding("slow", A), finding("slow", B, **note)]
    assert shape(diagnose(elsewhere, rules(slow=""))) == ["slow", "slow"]
    caused = [finding("slow", A, severity=Severity.WARNING), finding("slow", A, **note), finding("cause", A)]
    assert shape(diagnose(caused, rules(cause="slow", slow=""))) == ["cause + slow + slow"]
