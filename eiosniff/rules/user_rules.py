"""Rules of other people: in Python files (`--rules`), and in installed packages by the entry point group
`eiosniff.rules`. What is wrong with one of them is an `EiosniffError`, for whoever wrote it to mend.
"""

import difflib
import os
import re
import string
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from eiosniff.errors import EiosniffError
from eiosniff.model.crossing import Crossing
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client, Server
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import HEADINGS, Rule, sections

GROUP = "eiosniff.rules"
SUBJECTS = (Session, Client, Server, CaptureSummary, Crossing)  # the ledgers that rules are run for
PAGE = "docs/writing-a-rule.md"
# A code is as reports have it; INT is for what failed.
_CODE = re.compile(r"(?!INT)[A-Z]+[0-9]{3}")
_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_LIMIT = re.compile(r"[a-z][a-z0-9_]*")


def in_file(path: str) -> tuple[Rule, ...]:
    """The rules of a Python file, which is run (once in a process). Raises `EiosniffError`."""
    return _in_file(str(Path.cwd() / path), path or "''")


@cache
def _in_file(path: str, shown: str) -> tuple[Rule, ...]:
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        problem = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise EiosniffError(f"{shown}: {problem}", "--rules takes the path of a Python file with rules") from None
    module = ModuleType(f"eiosniff_rules_in_a_file_{len(sys.modules)}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    try:
        # Not by an import, which would leave compiled code beside a file that may be anywhere.
        exec(compile(source, path, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        line, problem = at_fault(error, path)
        raise EiosniffError(f"{shown}{f', line {line}' if line else ''}: {problem}") from None
    rules = [rule for rule in _members(module) if rule.check.__module__ == module.__name__]
    if not rules:
        raise EiosniffError(f"{shown} holds no rule", f"a rule is a function with @rule(...) above it: see {PAGE}")
    return tuple(_checked(rule, shown) for rule in rules)


@cache
def installed() -> tuple[Rule, ...]:
    """The rules of installed packages. Raises `EiosniffError` for a package whose rules are not usable."""
    if not _are_offered():
        return ()
    from importlib import metadata  # noqa: PLC0415  # a quarter of the time to start, and few have such packages

    rules: dict[Rule, None] = {}
    for point in metadata.entry_points(group=GROUP):
        name, version = (point.dist.name, point.dist.version) if point.dist is not None else (point.value, "")
        package = f"{name} {version}".strip()
        remedy = f"update that package or remove it (pip uninstall {name})"
        try:
            offered = [rule for rule in _members(point.load()) if not rule.check.__module__.startswith("eiosniff.")]
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"
            raise EiosniffError(f"the rules of {package} ({point.value}) do not load: {problem}", remedy) from None
        if not offered:
            raise EiosniffError(f"{package} offers rules in {point.value}, and none is there", remedy)
        rules |= dict.fromkeys(_checked(rule, package) for rule in offered)
    return tuple(rules)


def _are_offered() -> bool:
    """Whether an installed package may have rules: by a look at the files that would say so."""
    for entry in sys.path:
        try:
            for name in os.listdir(entry or "."):  # noqa: PTH208  # many names, of which few are looked at
                if name.endswith((".dist-info", ".egg-info")) and _offers(Path(entry, name)):
                    return True
        except NotADirectoryError:
            return True  # an archive: ask properly
        except OSError:
            continue
    return False


def _offers(metadata: Path) -> bool:
    try:
        return GROUP.encode() in (metadata / "entry_points.txt").read_bytes()
    except OSError:
        return False


def _members(offered: object) -> Iterator[Rule]:
    """The rules in a module, or in a list of them; or the one that it is."""
    if isinstance(offered, Rule):
        yield offered
    members = vars(offered).values() if isinstance(offered, ModuleType) else offered
    if isinstance(members, Iterable):
        yield from (member for member in members if isinstance(member, Rule))


def at_fault(error: BaseException, file: str) -> tuple[int | None, str]:
    """The line of a file that an exception came through last, if it did; and the exception in words."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno, f"{kind}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None, f"{kind}: {error}" if str(error) else kind


def _checked(rule: Rule, origin: str) -> Rule:
    """A rule with its origin. Refuses what would fail later, or without a word do nothing."""
    made = replace(rule, origin=origin)
    _check_labels(made)
    _check_texts(made)
    return made


def _check_labels(rule: Rule) -> None:
    if not _CODE.fullmatch(rule.code):
        raise wrong(rule, f"the code {rule.code!r} is not usable", "take letters and three digits, such as MY001")
    if not _NAME.fullmatch(rule.name):
        raise wrong(rule, f"the name {rule.name!r} is not usable", "take lower case with hyphens, such as slow-login")
    subjects = rule.subject if isinstance(rule.subject, tuple) else (rule.subject,)
    if not subjects or not all(subject in SUBJECTS for subject in subjects):
        raise wrong(rule, "its subject is no ledger", f"take {', '.join(kind.__name__ for kind in SUBJECTS)}")
    if not isinstance(rule.severity, Severity):
        raise wrong(rule, f"the severity {rule.severity!r} is none", "take Severity.ERROR, WARNING or INFO")
    for name, value in rule.limits.items():
        if not _LIMIT.fullmatch(name) or isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(
                rule, f"the limit {name!r} is not usable", 'take a name and a number, such as "answer_ms": 5000'
            )


def _check_texts(rule: Rule) -> None:
    for text in (rule.title, rule.message, rule.why, rule.hence, *rule.fix):
        try:
            fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
        except ValueError as error:
            raise wrong(rule, f"the text {text[:40]!r} cannot be filled in: {error}", "a brace is {{ or }}") from None
        if any(not field or field.isdigit() for field in fields):
            raise wrong(rule, f"a place in {text[:40]!r} has no name", "write {client}, {server} or a keyword of Hit")
    if not rule.documentation or rule.documentation.startswith("#"):
        raise wrong(
            rule, "it is not documented", "begin the docstring of its function with a sentence on what it reports"
        )
    headings = [heading.strip() for heading, _ in sections(rule.documentation)]
    for heading in headings:
        if heading not in HEADINGS:
            close = difflib.get_close_matches(heading, HEADINGS, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(HEADINGS)}"
            raise wrong(rule, f"it has the heading {heading!r}", remedy)
    if headings != [heading for heading in HEADINGS if heading in headings]:
        raise wrong(rule, "its headings are not in order, or not once", f"the order is {', '.join(HEADINGS)}")


def wrong(rule: Rule, problem: str, remedy: str) -> EiosniffError:
    """What to say of a rule that cannot be used."""
    return EiosniffError(f"{rule.origin}: rule {rule.name}: {problem}", remedy)
