"""All rules, found by walking the packages beside this module: adding a rule adds a file and edits none."""

import importlib
import pkgutil
from functools import cache

import eiosniff.rules as package
from eiosniff.rules.api import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    found: list[Rule] = []
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        layer_and_file = module.name.removeprefix(package.__name__ + ".")
        if "." in layer_and_file and not module.ispkg:
            members = vars(importlib.import_module(module.name)).values()
            found.extend(member for member in members if isinstance(member, Rule))
    return tuple(sorted(found, key=lambda rule: rule.code))


def find(code_or_name: str) -> Rule | None:
    """The rule with this code (in any case) or name."""
    wanted = code_or_name.strip().lower()
    return next((rule for rule in all_rules() if wanted in (rule.code.lower(), rule.name)), None)
