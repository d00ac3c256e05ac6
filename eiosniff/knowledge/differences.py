"""Which differences between two conversations matter, by what `compare.toml` says."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from eiosniff.knowledge.library import read


@dataclass(frozen=True, slots=True)
class StepKind:
    """A step of a conversation: which of its facts can break what: `breaks` the step itself and the kinds in `reaches`
    (None: any later one), `always` any later one."""

    kind: str
    title: str
    breaks: frozenset[str]
    always: frozenset[str]
    fine: tuple[str, ...]
    reaches: frozenset[str] | None
    follows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cause that a rule finds shows: the kind of the step, and its facts, the likeliest first."""

    kind: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """All of it: `steps` in the order of a conversation, `rules` by name, `words` by `kind.fact`."""

    steps: dict[str, StepKind]
    rules: dict[str, Place]
    words: dict[str, str]

    def breaks(self, kind: str, fact: str) -> bool:
        """Whether a difference in a fact can be why a step fails."""
        step = self.steps[kind]
        return fact.lower() in step.breaks or fact.lower() in step.always

    def is_fine(self, kind: str, fact: str) -> bool:
        """Whether both ways are fine."""
        return any(fits(pattern, fact) for pattern in self.steps[kind].fine)

    def reaches(self, kind: str, fact: str, later: str) -> bool:
        """Whether what differs in a fact of a step can break that step, or a later one."""
        step = self.steps[kind]
        return later == kind or step.reaches is None or fact.lower() in step.always or later in step.reaches

    def followed(self, kind: str, fact: str) -> list[tuple[str, str]]:
        """The facts (kind of the step, name) with which this one goes: if they differ, it differs too."""
        found = [of for pattern, of in self.steps[kind].follows if fits(pattern, fact)]
        return [(step, name) for step, _, name in (of.partition(".") for of in found)]


def fits(pattern: str, fact: str) -> bool:
    """Whether a fact is called so, in any case; a pattern that ends in `*` takes what begins so."""
    fact, pattern = fact.lower(), pattern.lower()
    return fact.startswith(pattern[:-1]) if pattern.endswith("*") else fact == pattern


@cache
def load() -> Differences:
    """Read the data file of this package."""
    content = read("compare.toml")
    steps = {entry["kind"]: _step(entry) for entry in content["step"]}
    rules = {
        rule: Place(entry["kind"], tuple(facts))
        for entry in content["step"]
        for rule, facts in entry.get("rules", {}).items()
    }
    return Differences(steps, rules, {name.lower(): text for name, text in content["words"].items()})


def _step(entry: dict[str, Any]) -> StepKind:
    return StepKind(
        entry["kind"],
        entry["title"],
        frozenset(fact.lower() for fact in entry.get("breaks", ())),
        frozenset(fact.lower() for fact in entry.get("always", ())),
        tuple(entry.get("fine", ())),
        frozenset(entry["reaches"]) if "reaches" in entry else None,
        tuple(entry.get("follows", {}).items()),
    )
