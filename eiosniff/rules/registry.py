"""All rules: those of eiosniff, found by walking the packages beside this module (adding a rule adds a file and edits
none), and those of other people."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from functools import cache

import eiosniff.rules as package
from eiosniff.rules import user_rules
from eiosniff.rules.api import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule that comes with eiosniff, by code."""
    found: list[Rule] = []
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        layer_and_file = module.name.removeprefix(package.__name__ + ".")
        if "." in layer_and_file and not module.ispkg:
            members = vars(importlib.import_module(module.name)).values()
            found.extend(member for member in members if isinstance(member, Rule))
    return tuple(sorted(found, key=lambda rule: rule.code))


def with_others(files: Sequence[str] = ()) -> tuple[Rule, ...]:
    """Every rule of eiosniff, of installed packages and of these Python files, by code.

    Raises `EiosniffError` for a file, a package or a rule in it that cannot be used.
    """
    in_files = [rule for file in dict.fromkeys(files) for rule in user_rules.in_file(file)]
    rules = list(all_rules())
    taken = {label.lower(): rule for rule in rules for label in (rule.code, rule.name)}
    for rule in (*user_rules.installed(), *in_files):
        for label in (rule.code, rule.name):
            other = taken.setdefault(label.lower(), rule)
            if other is not rule:
                owner = f"{other.name} ({other.code}) of {other.origin or 'eiosniff'}"
                raise user_rules.wrong(rule, f"{label} is taken by {owner}", "take a code and a name of your own")
        rules.append(rule)
    _check_explained(in_files, rules)
    _check_roots(rules)
    return tuple(sorted(rules, key=lambda rule: rule.code))


def _check_explained(rules: Iterable[Rule], known: Iterable[Rule]) -> None:
    """Refuse names that do not exist in what rules of files explain: they are mistyped."""
    names = [rule.name for rule in known]
    for rule in rules:
        for name in rule.explains:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                remedy = f"did you mean {close[0]}?" if close else "`eiosniff rules` lists all"
                raise user_rules.wrong(rule, f"it explains {name!r}, and there is no such rule", remedy)


def _check_roots(rules: Iterable[Rule]) -> None:
    """Refuse rules that explain each other: none would be the root cause."""
    explains = {rule.name: rule.explains for rule in rules}
    for rule in rules:
        reached: set[str] = set()
        ahead = list(rule.explains) if rule.origin else []
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += explains.get(name, ())
        if rule.name in reached:
            raise user_rules.wrong(
                rule, "it explains itself, through what it explains", "take a name out of `explains`"
            )
