"""What a rule is written with: `@rule`, `Hit`, and helpers for evidence.

A rule is one function; those of eiosniff are in a file each, `rules/<layer>/<code>_<name>.py`. It looks at one ledger,
judges it by what is recorded there, keeps nothing between calls, and yields a `Hit` for each thing that it finds. Its
documentation is its docstring or that of its module, with the headings of `HEADINGS` in this order.

This module and the ledgers in `eiosniff.model` are what rules of other people may rely on; see
`docs/writing-a-rule.md`.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from eiosniff.model.finding import Certainty, Evidence, RuleInfo, Severity
from eiosniff.model.provenance import Endpoint, PacketRef, Side

HEADINGS = (
    "What it reports",
    "Why it matters",
    "On the wire",
    "How to fix",
    "When it is silent",
    "References",
)
SEE_MODULE = "See the module."  # the docstring of a function whose module documents it


def evidence(place: PacketRef, side: Side | None, text: str) -> Evidence:
    """A packet that proves something, and a few words on it (they may quote the wire)."""
    return Evidence(place.number, place.ts_ns, side.label if side is not None else "", text)


class Hit:
    """One thing that a rule found.

    `values` fill the placeholders of the rule's message (`{client}` and `{server}` are filled in by the engine).
    A hit that stands for many occurrences (a tally in a ledger) gives their number and the usual time between them.
    Hits of one rule are merged into one finding; those of different `kind` are different faults, with words of their
    own. `lasting` says that something is missing up to the end of the capture, and not only between the evidence.
    `client` and `server` are for rules whose subject is neither a session nor a client.
    """

    __slots__ = (
        "certainty", "client", "doubt", "evidence", "kind", "lasting", "occurrences", "period_ns", "server", "severity",
        "values",
    )  # fmt: skip

    def __init__(
        self,
        *proof: Evidence,
        certainty: Certainty = Certainty.CERTAIN,
        doubt: str = "",
        severity: Severity | None = None,
        occurrences: int = 1,
        period_ns: int | None = None,
        kind: str = "",
        lasting: bool = False,
        client: str | None = None,
        server: Endpoint | None = None,
        **values: object,
    ) -> None:
        self.evidence = proof
        self.certainty = certainty
        self.doubt = doubt
        self.severity = severity
        self.occurrences = occurrences
        self.period_ns = period_ns
        self.kind = kind
        self.lasting = lasting
        self.client = client
        self.server = server
        self.values = values


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its fixed data and its function.

    `subject` is the kind of ledger that it looks at, or several of them.

    `message` says what happened ("What" in the report), `why` explains it in a sentence or two to someone who does not
    know the protocol, `fix` is what to do when neither library is known. `explains` names findings that are
    consequences of this one; `hence` is what is said of this one where it is a consequence itself (else its title).
    `tolerates_gaps` is for rules that are about gaps, or that a gap cannot mislead; `one_side_tells` for those that
    need not know what the other side said: only they look at sessions of which one direction was captured. A `remark`
    is on how a peer is set up: as an info it comes after those on what happened.

    `limits` are the thresholds by which it judges, each with its default, its name ending in its unit (`answer_ms`,
    `polls`); a user may set others. A rule that has some is called with them as the second argument.

    `origin` is where a rule comes from that is not eiosniff's: its file, or its package and version. `severity_is_set`
    says that the user chose the severity, of whatever hits.
    """

    code: str
    name: str
    subject: type | tuple[type, ...]
    severity: Severity
    since: str
    title: str
    message: str
    why: str
    fix: tuple[str, ...]
    explains: tuple[str, ...]
    tolerates_gaps: bool
    one_side_tells: bool
    hence: str
    check: Callable[..., Iterator[Hit]]
    documentation: str
    file: str
    limits: Mapping[str, float] = field(default_factory=dict, compare=False)
    remark: bool = False
    origin: str = ""
    severity_is_set: bool = False

    def hits(self, ledger: Any) -> Iterator[Hit]:
        """What the rule finds in a ledger of its subject."""
        return self.check(ledger, self.limits) if self.limits else self.check(ledger)

    def severity_of(self, hit: Hit) -> Severity:
        """How bad a hit is: the user's word wins over the hit's own, and that over the rule's."""
        return self.severity if hit.severity is None or self.severity_is_set else hit.severity

    def adjusted(self, severity: Severity | None, limits: Mapping[str, float]) -> "Rule":
        """The rule as a user wants it: with this severity, if there is one, and with other values of some limits."""
        changed = replace(self, limits=MappingProxyType({**self.limits, **limits})) if limits else self
        return changed if severity is None else replace(changed, severity=severity, severity_is_set=True)

    def info(self) -> RuleInfo:
        """What the reports and `eiosniff rules` show of it."""
        return RuleInfo(
            code=self.code,
            name=self.name,
            severity=self.severity,
            since=self.since,
            title=self.documentation.partition("\n")[0].rstrip("."),
            explains=self.explains,
            sections=sections(self.documentation),
            limits=tuple(self.limits.items()),
            origin=self.origin,
        )


def rule(
    *,
    code: str,
    name: str,
    subject: type | tuple[type, ...],
    severity: Severity,
    title: str,
    message: str,
    why: str,
    fix: str | Iterable[str],
    since: str = "",
    explains: str | Iterable[str] = (),
    tolerates_gaps: bool = False,
    one_side_tells: bool = False,
    remark: bool = False,
    hence: str = "",
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Callable[[Callable[..., Iterator[Hit]]], Rule]:
    """Make a rule of a function that looks at one ledger (and at the limits, if it has some).

    `since` is the version of eiosniff that has it first; rules of other people have none.
    """

    def decorate(check: Callable[..., Iterator[Hit]]) -> Rule:
        module = sys.modules[check.__module__]
        return Rule(
            code=code,
            name=name,
            subject=subject,
            severity=severity,
            since=since,
            title=title,
            message=message,
            why=why,
            fix=_texts(fix),
            explains=_texts(explains),
            tolerates_gaps=tolerates_gaps,
            one_side_tells=one_side_tells,
            remark=remark,
            hence=hence or title,
            limits=MappingProxyType(dict(limits)),
            check=check,
            documentation=_documentation(check.__doc__, module.__doc__),
            file=module.__file__ or "",
        )

    return decorate


def _texts(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _documentation(own: str | None, of_module: str | None) -> str:
    """The docstring of the function; that of the module if there is none, or if it says so."""
    text = inspect.cleandoc(own or "")
    return text if text and text != SEE_MODULE else inspect.cleandoc(of_module or "")


def sections(documentation: str) -> tuple[tuple[str, str], ...]:
    """The headings and texts of a rule's documentation (the lines before the first heading are its summary)."""
    parts = documentation.split("\n## ")
    return tuple((heading, text.strip()) for heading, _, text in (part.partition("\n") for part in parts[1:]))
