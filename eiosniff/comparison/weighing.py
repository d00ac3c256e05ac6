"""Which differences between two conversations matter, and which one is the first that does."""

from collections.abc import Sequence

from eiosniff.comparison.alignment import align
from eiosniff.comparison.choice import causes, concerns
from eiosniff.comparison.steps import steps_of
from eiosniff.knowledge import differences
from eiosniff.model.comparison import (
    Comparison,
    Conversation,
    Difference,
    Fact,
    FactPair,
    Importance,
    Step,
    StepPair,
    Verdict,
)
from eiosniff.model.finding import Diagnosis, Finding, Report, Severity

FAULT = "fault"  # the fact that stands for a finding where no other fact differs

_REQUESTS = ("request", "upgrade")


def compare(working: Conversation, failing: Conversation, of_working: Report, of_failing: Report) -> Comparison:
    """Align two conversations and find the first difference that matters. The reports are of their captures."""
    known = differences.load()
    working.steps, failing.steps = steps_of(working), steps_of(failing)
    pairs = align(working.steps, failing.steps, {kind: step.title for kind, step in known.steps.items()})
    weigh(pairs, failing)
    shared, own = _diagnoses(working, failing, of_working, of_failing)
    fails = {step.kind for step in pairs if any(pair.importance is Importance.FAILS for pair in step.facts)}
    root = next((each for each in own if _is_why(each.finding, fails)), None)
    difference = _by_rule(pairs, root) if root is not None else None
    if difference is None and (root is not None or fails):
        difference = _by_itself(pairs)
    verdict, astray = Verdict.DIFFER, None
    if difference is None:
        verdict = Verdict.FAIL_ALIKE if shared else Verdict.BOTH_FINE
        if verdict is Verdict.BOTH_FINE and of_working is not of_failing:
            astray = next(causes(of_working, Severity.WARNING), None)
        _play_down(pairs)
    else:
        difference.fact.importance = Importance.FIRST
    return Comparison(
        version=of_failing.version,
        working=working,
        failing=failing,
        verdict=verdict,
        pairs=pairs,
        difference=difference,
        diagnosis=root,
        shared=shared,
        astray=astray,
        crashed=of_working.crashed or of_failing.crashed,
        interrupted=of_working.interrupted or of_failing.interrupted,
    )


def _is_why(finding: Finding, fails: set[str]) -> bool:
    """Whether it may be why a conversation fails in these steps. What is no fault by itself is so only of its own."""
    place = differences.load().rules.get(finding.name)
    return finding.severity > Severity.INFO or (place is not None and place.kind in fails)


def rules_of(conversation: Conversation, report: Report) -> frozenset[str]:
    """The names of the rules that have found a fault in a conversation."""
    return frozenset(
        finding.name
        for diagnosis in report.diagnoses
        for finding in diagnosis.findings
        if finding.severity > Severity.INFO and concerns(finding, conversation)
    )


def _diagnoses(
    working: Conversation, failing: Conversation, of_working: Report, of_failing: Report
) -> tuple[list[Diagnosis], list[Diagnosis]]:
    """Those of the failing conversation: faults that the working one has too, and what only it has, the worst first."""
    found = rules_of(working, of_working)
    shared, own = [], []
    for diagnosis in causes(of_failing, Severity.INFO):
        if concerns(diagnosis.finding, failing):
            alike = diagnosis.finding.name in found
            if not alike:
                own.append(diagnosis)
            elif diagnosis.finding.severity > Severity.INFO:
                shared.append(diagnosis)
    return shared, own


# ---------------------------------------------------------------- what a difference means


def weigh(pairs: Sequence[StepPair], failing: Conversation) -> None:
    """Say of each fact what its difference means."""
    differing: set[tuple[str, str]] = set()
    for step in pairs:
        for pair in step.facts:
            pair.importance = _importance(step, pair, failing, differing)
            if pair.importance is not Importance.SAME:
                differing.add((step.kind, pair.name.lower()))
    _keep_what_can_be_why(pairs)


def _importance(step: StepPair, pair: FactPair, failing: Conversation, differing: set[tuple[str, str]]) -> Importance:
    one, other = pair.working, pair.failing
    if other is not None and other.bad and not (one is not None and one.bad):
        return Importance.FAILS
    if step.failing is None and failing.session is None:
        return Importance.SAME  # it never came so far
    if step.working is None or step.failing is None:
        return Importance.MAY_MATTER if step.kind == "connect" else Importance.NO_MATTER
    if one is not None and other is not None:
        if None in (one.compared, other.compared) or one.compared == other.compared:
            return Importance.SAME
        if one.bad:
            return Importance.NO_MATTER
    elif (one or other) is not None and _is_unknown(one or other):
        return Importance.SAME
    elif step.kind not in _REQUESTS or (step.kind == "upgrade" and not _both_tried(step)):
        return Importance.NO_MATTER  # what one of the two has nothing to say about
    known = differences.load()
    if known.is_fine(step.kind, pair.name) or any(each in differing for each in known.followed(step.kind, pair.name)):
        return Importance.NO_MATTER
    return Importance.MATTERS if known.breaks(step.kind, pair.name) else Importance.MAY_MATTER


def _is_unknown(fact: Fact | None) -> bool:
    return fact is not None and fact.value is None


def _both_tried(step: StepPair) -> bool:
    return all(each is not None and len(each.facts) > 1 for each in (step.working, step.failing))


def _keep_what_can_be_why(pairs: Sequence[StepPair]) -> None:
    """What could break a step does not matter where that step, and those that it reaches, went well."""
    known = differences.load()
    failed = {step.kind for step in pairs if any(pair.importance is Importance.FAILS for pair in step.facts)}
    order = list(known.steps)
    for step in pairs:
        later = [kind for kind in failed if order.index(kind) >= order.index(step.kind)]
        for pair in step.facts:
            if pair.importance is Importance.MATTERS and not any(
                known.reaches(step.kind, pair.name, kind) for kind in later
            ):
                pair.importance = Importance.MAY_MATTER


def _play_down(pairs: Sequence[StepPair]) -> None:
    """Where both went well, nothing is more than another way."""
    for step in pairs:
        for pair in step.facts:
            if pair.importance is Importance.MAY_MATTER:
                pair.importance = Importance.NO_MATTER


# ---------------------------------------------------------------- the first one


def _by_itself(pairs: Sequence[StepPair]) -> Difference | None:
    """Without a rule: the earliest difference that can be why the first step fails that does, else that step."""
    for step in pairs:
        for wanted in (Importance.MATTERS, Importance.FAILS):
            for pair in step.facts:
                if pair.importance is wanted:
                    return _difference(step, pair)
    return None


def _by_rule(pairs: list[StepPair], root: Diagnosis) -> Difference | None:
    """Where the cause that a rule found shows; None for a rule of which that is not known."""
    place = differences.load().rules.get(root.finding.name)
    if place is None:
        return None
    # Of several steps of a kind (namespaces), the one that does not go well in the failing conversation.
    steps = sorted((step for step in pairs if step.kind == place.kind), key=lambda step: not _goes_wrong(step))
    for step in steps:
        for name in place.facts:
            for pair in step.facts:
                if differences.fits(name, pair.name) and _tells(step, pair):
                    return _difference(step, pair)
    for step in steps:
        for pair in step.facts:
            if pair.importance is Importance.FAILS:
                return _difference(step, pair)
    if place.kind == "request":  # they ask alike, and are not answered alike
        for step in pairs:
            for pair in step.facts:
                if step.kind in ("preflight", "answer") and pair.importance is Importance.FAILS:
                    return _difference(step, pair)
    return _fault(pairs, steps, place.kind, root)


def _goes_wrong(step: StepPair) -> bool:
    return step.failing is not None and any(fact.bad for fact in step.failing.facts)


def _tells(step: StepPair, pair: FactPair) -> bool:
    """Whether a fact differs to the failing one's disadvantage. Events are not the same in both: what only that has,
    and what is as it should be, tells nothing."""
    if step.kind == "events" and pair.working is None and pair.failing is not None and not pair.failing.bad:
        return False
    return pair.importance is not Importance.SAME and not (pair.working is not None and pair.working.bad)


def _fault(pairs: list[StepPair], steps: list[StepPair], kind: str, root: Diagnosis) -> Difference:
    """What the rule found is itself the difference: no fact has it."""
    pair = FactPair(FAULT, Fact(FAULT, "none"), Fact(FAULT, root.finding.title, bad=True), Importance.FAILS)
    if not steps:
        known = differences.load().steps
        empty = Step(kind, "", None, ())
        order = list(known)
        step = StepPair(kind, known[kind].title, "", empty, empty)
        at = next((at for at, each in enumerate(pairs) if order.index(each.kind) > order.index(kind)), len(pairs))
        pairs.insert(at, step)
        steps = [step]
    steps[0].facts.append(pair)
    return _difference(steps[0], pair)


def _difference(step: StepPair, pair: FactPair) -> Difference:
    return Difference(step, pair, differences.load().words.get(f"{step.kind}.{pair.name.lower()}", ""))
