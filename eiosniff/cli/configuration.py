"""The configuration: which rules to ask, how bad what they find is, and their limits.

It is `[eiosniff]` in a `setup.cfg`, or a file such as `eiosniff.toml`. It may come from a folder that somebody else
filled, so it names nothing that would be run or written to.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eiosniff.cli.exits import FAIL_ON
from eiosniff.cli.options import closest, closest_rules, find_rule
from eiosniff.errors import EiosniffError
from eiosniff.model.finding import Severity

if TYPE_CHECKING:
    from eiosniff.model.finding import RuleInfo

OWN_FILE = "eiosniff.toml"
SHARED_FILE = "setup.cfg"
SECTION = "eiosniff"
KEYS = ("select", "ignore", "fail-on", "severity", "limits")
_EXAMPLES = {"severity": "RULE = error (or warning, or info)", "limits": "RULE.LIMIT = NUMBER"}
_MOST_BYTES = 1_000_000
_MOST = 1_000_000_000  # of anything that is counted; a time of 11 days
_MOST_DOTS = 8  # in the name of a rule or a limit


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a configuration says; `source` names it and the keys that it has, and is empty where there is none.

    Rules are by their codes. Null or empty: the configuration does not say.
    """

    source: str = ""
    select: frozenset[str] | None = None
    ignore: frozenset[str] | None = None
    fail_on: str | None = None
    severity: Mapping[str, Severity] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def configuration(given: str | None, *, wanted: bool, rules: "Sequence[RuleInfo]") -> Configuration:
    """The configuration in the file that was given, or in the current folder if none was; none unless it is wanted.

    Raises `EiosniffError`, which names the file and the key, for what cannot be used.
    """
    if not wanted:
        return Configuration()
    if given is not None:
        said = _read(Path(given), given or "''")
        if said is None:
            raise EiosniffError(f"{given} has no section [{SECTION}]")
        return _Reading(given, rules).configuration(said)
    for name in (OWN_FILE, SHARED_FILE):
        said = _read(Path(name), name, ours=name == OWN_FILE) if Path(name).is_file() else None
        if said is not None:
            return _Reading(name, rules).configuration(said)
    return Configuration()


def _read(path: Path, shown: str, *, ours: bool = True) -> dict[str, object] | None:
    """What a file says; None if it is one of several programs and does not have our section, or cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        if not ours:
            return None
        problem = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise EiosniffError(f"{shown}: {problem}", "--config takes the path of a .toml or .cfg file") from None
    if path.suffix not in (".toml", ".cfg", ".ini"):
        raise EiosniffError(f"{shown}: by its name this is no configuration", "name a .toml or .cfg file")
    if path.suffix != ".toml" and not re.search(rb"(?m)^\[" + SECTION.encode() + rb"\]", content):
        return None
    if len(content) > _MOST_BYTES:
        raise EiosniffError(f"{shown}: the file is too large for a configuration")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EiosniffError(f"{shown}: the file is not text in UTF-8") from None
    return _toml(text, shown) if path.suffix == ".toml" else _section(text, shown)


def _toml(text: str, shown: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise EiosniffError(f"{shown}: this is not TOML: {error}") from None
    except RecursionError:
        raise EiosniffError(f"{shown}: its values are nested too deeply") from None


def _section(text: str, shown: str) -> dict[str, object]:
    """Our section of a file that other programs read too, and that may be broken where it is not ours."""
    from configparser import ConfigParser, Error

    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if line.startswith("[")]
    start = next(at for at in heads if lines[at].startswith(f"[{SECTION}]"))
    end = next((at for at in heads if at > start), len(lines))
    ours = "\n" * start + "\n".join(lines[start:end])  # with the lines before it, for the numbers in complaints
    parser = ConfigParser(interpolation=None, default_section="")
    parser.optionxform = str  # type: ignore[method-assign, assignment]  # keys are as they are written
    try:
        parser.read_string(ours, shown)
    except Error as error:
        raise EiosniffError(f"{shown}: {' '.join(str(error).split())}") from None
    return dict(parser[SECTION])


class _Reading:
    """Makes a configuration of what a file says, or says what is wrong with it."""

    def __init__(self, file: str, rules: "Sequence[RuleInfo]") -> None:
        self._file = file
        self._rules = rules

    def configuration(self, said: dict[str, object]) -> Configuration:
        for key in said:
            if key not in KEYS:
                inside = f"keys stand in {OWN_FILE} without a section around them: " if key == SECTION else ""
                remedy = inside + (closest(key, dict(zip(KEYS, KEYS, strict=True))) or f"there are {', '.join(KEYS)}")
                raise self._wrong(key, "there is no such key", remedy)
        return Configuration(
            source=f"{self._file} ({', '.join(key for key in KEYS if key in said) or 'empty'})",
            select=self._names("select", said),
            ignore=self._names("ignore", said),
            fail_on=self._word("fail-on", said["fail-on"], FAIL_ON) if "fail-on" in said else None,
            severity=self._severities(said.get("severity", {})),
            limits=self._limits(said.get("limits", {})),
        )

    def _names(self, key: str, said: dict[str, object]) -> frozenset[str] | None:
        """A list of rules, in TOML a real one, else with commas or line ends between them."""
        if key not in said:
            return None
        value = said[key]
        labels = value.replace("\n", ",").split(",") if isinstance(value, str) else value
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise self._wrong(key, "this is no list of rules", f'write {key} = ["connect-loop", "EIO038"]')
        names = frozenset(self._rule(key, label).code for label in labels if label.strip())
        if not names:
            raise self._wrong(key, "the list is empty", "name a rule, or leave the key out")
        return names

    def _severities(self, table: object) -> dict[str, Severity]:
        severities: dict[str, Severity] = {}
        for label, value in self._entries("severity", table):
            rule = self._rule("severity", label)
            if rule.code in severities:
                raise self._wrong("severity", f"{rule.name} ({rule.code}) is there twice", "leave one out")
            word = self._word(f"severity: {label}", value, [severity.label for severity in Severity])
            severities[rule.code] = Severity[word.upper()]
        return severities

    def _limits(self, table: object) -> dict[str, dict[str, float]]:
        limits: dict[str, dict[str, float]] = {}
        for label, value in self._entries("limits", table):
            rule_label, dot, name = label.rpartition(".")
            if not dot:
                raise self._wrong("limits", f"{label!r} does not name a rule and a limit", "write RULE.LIMIT = NUMBER")
            rule = self._rule("limits", rule_label)
            known = dict(rule.limits)
            if name not in known:
                names = {each: each for each in known}
                remedy = closest(name, names) or (f"it has {', '.join(known)}" if known else "it has none at all")
                raise self._wrong("limits", f"{rule.name} has no limit {name!r}", remedy)
            if name in limits.setdefault(rule.code, {}):
                raise self._wrong("limits", f"{name} of {rule.name} ({rule.code}) is there twice", "leave one out")
            limits[rule.code][name] = self._number(f"limits: {label}", value, known[name], name)
        return limits

    def _entries(self, key: str, table: object) -> Iterator[tuple[str, object]]:
        """What stands in a table. In TOML a name with dots may be tables in each other, elsewhere all is lines."""
        if isinstance(table, str):
            for line in filter(None, map(str.strip, table.splitlines())):
                label, equals, text = line.partition("=")
                if not equals:
                    raise self._wrong(key, f"there is no '=' in {line!r}", f"write {_EXAMPLES[key]}")
                yield label.strip(), text.strip()
            return
        if not isinstance(table, dict):
            raise self._wrong(key, "this is no table", f"write [{key}] and below it {_EXAMPLES[key]}")
        ahead = list(table.items())
        while ahead:
            label, value = ahead.pop(0)
            if isinstance(value, dict) and label.count(".") < _MOST_DOTS:
                ahead[:0] = [(f"{label}.{inner}", entry) for inner, entry in value.items()]
            else:
                yield label, value

    def _rule(self, key: str, label: str) -> "RuleInfo":
        rule = find_rule(label, self._rules)
        if rule is None:
            raise self._wrong(key, f"there is no rule {label.strip()!r}", closest_rules(label, self._rules))
        return rule

    def _word(self, key: str, value: object, words: Sequence[str]) -> str:
        if not isinstance(value, str) or value not in words:
            close = closest(value, {word: word for word in words}) if isinstance(value, str) else ""
            raise self._wrong(key, f"{value!r} is not known", close or f"there are {', '.join(words)}")
        return value

    def _number(self, key: str, value: object, default: float, name: str) -> float:
        """A limit. Numbers of things are whole and not 0, as their defaults are; times and shares may be anything."""
        number = _number_in(value) if isinstance(value, str) else value
        in_ms = name.endswith("_ms")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise self._wrong(key, f"{value!r} is no number", "it is in milliseconds" if in_ms else "")
        whole = isinstance(default, int) and not in_ms
        least = 1 if whole else 0
        if not least <= number <= _MOST or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise self._wrong(key, f"{value!r} is not usable", f"it is {kind} from {least} to {_MOST:,}")
        return number

    def _wrong(self, key: str, problem: str, remedy: str) -> EiosniffError:
        return EiosniffError(f"{self._file}: {key}: {problem}", remedy)


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else number
