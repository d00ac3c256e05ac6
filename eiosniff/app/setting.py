"""What the user chose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eiosniff.errors import EiosniffError
from eiosniff.model.finding import RuleInfo, Severity
from eiosniff.model.session import MAX_SESSIONS
from eiosniff.rules import registry
from eiosniff.rules.api import Rule

# Called now and then with the bytes read so far, and the size of all input if it is known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose. `select` and `ignore` hold codes or names of rules; `None` selects all.

    `rule_files` are Python files with rules of the user's own, which are run. `severity` and `limits` are by the code
    of a rule: how bad it is whatever it finds, and its limits that are not to have their defaults.
    `max_sessions` are listed in the report. `kept_sessions`, and those listed, are in memory at a time; what was found
    in older ones is folded into the findings. These are two numbers so that a short list does not change what is found.
    `keylog` are files with the secrets of TLS connections; without any, the one that SSLKEYLOGFILE names is used.
    `joined`: read all files as one, none, or (None) those that are parts of one by their names and times.
    """

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    rule_files: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    path: str | None = None
    max_sessions: int = MAX_SESSIONS
    kept_sessions: int = MAX_SESSIONS
    batch_size: int = 35_000
    joined: bool | None = None
    keylog: tuple[str, ...] = ()

    @property
    def narrowed(self) -> str:
        """The options that leave conversations out, as on the command line; empty if there are none."""
        path = () if self.path is None else (f"--path {self.path}",)
        return " ".join([*(f"--port {port}" for port in sorted(self.ports)), *path])


def chosen_rules(options: Options) -> list[Rule]:
    """The rules that the user selects, as they set them up. Raises `EiosniffError` for one that cannot be used."""
    rules = registry.with_others(options.rule_files)
    known = {label for rule in rules for label in (rule.code, rule.code.lower(), rule.name)}
    unknown = sorted(((options.select or frozenset()) | options.ignore) - known)
    if unknown:
        raise EiosniffError(f"there is no rule {unknown[0]!r}", "'eiosniff rules list' shows all")

    def named(rule: Rule, names: frozenset[str]) -> bool:
        return bool(names & {rule.code, rule.code.lower(), rule.name})

    return [
        rule.adjusted(options.severity.get(rule.code), options.limits.get(rule.code, {}))
        for rule in rules
        if (options.select is None or named(rule, options.select)) and not named(rule, options.ignore)
    ]


def rules(rule_files: Sequence[str] = ()) -> list[RuleInfo]:
    """All rules, by code: those of eiosniff, of installed packages, and of these Python files, which are run.

    Raises `EiosniffError` for a file, a package or a rule in it that cannot be used.
    """
    return [rule.info() for rule in registry.with_others(rule_files)]
