"""How often the rules are right on all recordings, held against what is known of these.

What is known: the cases beside each rule (`captures/rules/*/case.toml`), the table of clients and servers
(`tests/matrix.py`), and which recordings are healthy. `python -m tests.accuracy` prints the score and writes
`docs/accuracy.md`; a contract test wants it perfect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eiosniff.model.finding import Diagnosis, Severity
from eiosniff.rules.registry import all_rules
from tests.cases import CAPTURES, HAS_TSHARK, cases, healthy, recordings, report_of
from tests.matrix import CELLS


@dataclass
class Truth:
    """What is known of one recording, by names of rules.

    `cause` is the fault that its first diagnosis must name, None where nothing is wrong or that is not known; `shows`
    are all faults that it is known to have, `lacks` those that it only looks as if it had. It is `known` whole if a
    warning of any other fault would be wrong.
    """

    cause: str | None = None
    shows: set[str] = field(default_factory=set)
    lacks: set[str] = field(default_factory=set)
    known: bool = False


@dataclass
class Score:
    """How one rule does.

    `shown` recordings have its fault, and it reports `found` of them; of `causes` it is the root cause, and the first
    line of `first`. `near` are its near misses. `wrong` are the recordings of which it speaks and should not; `notes`
    the healthy ones of which it has something to remark that is no fault.
    """

    shown: int = 0
    found: int = 0
    causes: int = 0
    first: int = 0
    near: int = 0
    wrong: int = 0
    notes: int = 0

    @property
    def recall(self) -> float:
        """The share of the faults that are found."""
        return self.found / self.shown if self.shown else 1.0

    @property
    def precision(self) -> float:
        """The share of what is reported that is right."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0


@dataclass
class Accuracy:
    """The score of all rules on all recordings; `mistakes` says in words what is wrong, one line each."""

    recordings: int
    faulty: int
    first: int
    healthy: int
    quiet: int
    rules: dict[str, Score]
    mistakes: list[str]


def truth() -> dict[tuple[Path, ...], Truth]:
    """What is known of all recordings of which something is known, as far as this machine can read them."""
    known: dict[tuple[Path, ...], Truth] = {(path,): Truth(known=True) for path in healthy()}
    names = {rule.code: rule.name for rule in all_rules()}
    for entry in recordings("matrix"):
        code = CELLS[entry["row"], entry["column"]]
        cause = None if code == "yes" else names[code]
        known[entry["path"],] = Truth(cause, {cause} if cause else set(), set(), True)
    for entry in recordings("faulty"):
        known.setdefault((entry["path"],), Truth(known=True))
    for case in cases():
        if case.tshark and not HAS_TSHARK:
            continue
        about = known.setdefault(case.captures, Truth())
        if not case.bad:
            about.lacks.add(case.rule)
            continue
        about.shows |= {case.rule, *case.consequences}
        if case.cause and about.cause not in (None, case.cause):
            raise ValueError(f"{case.capture.name}: is its cause {about.cause} or {case.cause}?")
        about.cause = case.cause or about.cause
        about.known = about.known or bool(case.cause)
    for about in known.values():
        about.shows |= {about.cause} if about.cause else set()
    return known


def measure() -> Accuracy:
    """Analyse all recordings of which something is known, and compare."""
    known = truth()
    scores = {rule.name: Score() for rule in all_rules()}
    mistakes: list[str] = []
    faulty = first = quiet = 0
    for paths, about in sorted(known.items()):
        diagnoses = report_of(*paths).diagnoses
        said = dict.fromkeys(name for name, _ in _said(diagnoses))
        recording = " and ".join(path.relative_to(CAPTURES).as_posix() for path in paths)
        if about.cause is not None:
            named = diagnoses[0].finding.name if diagnoses else "nothing"
            faulty += 1
            first += named == about.cause
            scores[about.cause].causes += 1
            scores[about.cause].first += named == about.cause
            if named != about.cause:
                mistakes.append(f"{recording}: the first line is {named}, and the cause {about.cause}")
        for name in about.shows & scores.keys():
            scores[name].shown += 1
            scores[name].found += name in said
            if name not in said:
                mistakes.append(f"{recording}: {name} is not found")
        for name in about.lacks & scores.keys():
            scores[name].near += 1
        wrong = {name for name, loud in _said(diagnoses) if name in about.lacks or (loud and about.known)}
        for name in sorted((wrong - about.shows) & scores.keys()):
            scores[name].wrong += 1
            mistakes.append(f"{recording}: {name} is reported")
        if about.known and not about.shows:
            quiet += not wrong
            for name in said.keys() & scores.keys():
                scores[name].notes += 1
    harmless = sum(about.known and not about.shows for about in known.values())
    return Accuracy(len(known), faulty, first, harmless, quiet, scores, mistakes)


def _said(diagnoses: list[Diagnosis]) -> Iterator[tuple[str, bool]]:
    """What is reported, by name, and whether as a fault that nothing else explains."""
    for diagnosis in diagnoses:
        yield diagnosis.finding.name, diagnosis.finding.severity >= Severity.WARNING
        for consequence in diagnosis.consequences:
            yield consequence.name, False
