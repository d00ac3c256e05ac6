"""The steps of two conversations side by side, and within them their facts."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from eiosniff.model.comparison import Fact, FactPair, Step, StepPair


def align(working: Sequence[Step], failing: Sequence[Step], order: dict[str, str]) -> list[StepPair]:
    """Pairs of steps. `order` has the kinds of steps in the order of a conversation, each with its title."""
    of_working = {(step.kind, step.label): step for step in working}
    of_failing = {(step.kind, step.label): step for step in failing}
    pairs = []
    for kind, title in order.items():
        names = _merged(
            [label for step_kind, label in of_working if step_kind == kind],
            [label for step_kind, label in of_failing if step_kind == kind],
        )
        for label in names:
            one, other = of_working.get((kind, label)), of_failing.get((kind, label))
            pairs.append(StepPair(kind, title, label, one, other, _facts(one, other)))
    return pairs


def _facts(working: Step | None, failing: Step | None) -> list[FactPair]:
    """Facts are the same by name, in any case: names of headers come as they were sent."""
    ones = {fact.name.lower(): fact for fact in _of(working)}
    others = {fact.name.lower(): fact for fact in _of(failing)}
    pairs = []
    for name in _merged(list(ones), list(others)):
        one, other = ones.get(name), others.get(name)
        shown = one or other
        assert shown is not None
        pairs.append(FactPair(shown.name, one, other))
    return pairs


def _of(step: Step | None) -> tuple[Fact, ...]:
    return step.facts if step is not None else ()


def _merged(ones: list[str], others: list[str]) -> list[str]:
    """The names of both, each once, in an order that suits both as far as there is one."""
    merged: dict[str, None] = {}
    for _, start, end, other_start, other_end in SequenceMatcher(None, ones, others, autojunk=False).get_opcodes():
        merged.update(dict.fromkeys(ones[start:end]))
        merged.update(dict.fromkeys(others[other_start:other_end]))
    return list(merged)
