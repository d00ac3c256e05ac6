"""What every rule must have: documentation, a capture that shows it, a near miss, and silence on healthy traffic."""

import ast
import string
from pathlib import Path

import pytest

from eiosniff.model.finding import Severity
from eiosniff.rules.api import HEADINGS, Rule
from eiosniff.rules.registry import all_rules
from tests.cases import case_file, cases, healthy, report_of

RULES = all_rules()


@pytest.fixture(params=RULES, ids=lambda rule: rule.code)
def rule(request: pytest.FixtureRequest) -> Rule:
    found: Rule = request.param
    return found


def test_documentation_has_all_headings_in_order(rule: Rule) -> None:
    assert tuple(heading for heading, text in rule.info().sections if text) == HEADINGS


def test_file_is_named_after_code_and_name(rule: Rule) -> None:
    expected = f"{rule.code.lower()}_{rule.name.replace('-', '_').replace('.', '_')}.py"
    assert Path(rule.file).name == expected


def test_codes_and_names_are_used_once() -> None:
    codes, names = [rule.code for rule in RULES], [rule.name for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert len(set(names)) == len(names)


def test_what_is_explained_exists(rule: Rule) -> None:
    assert set(rule.explains) <= {other.name for other in RULES}


def test_nothing_explains_itself() -> None:
    explains = {rule.name: rule.explains for rule in RULES}

    def reachable(name: str, seen: frozenset[str]) -> frozenset[str]:
        for other in explains.get(name, ()):
            if other not in seen:
                seen = reachable(other, seen | {other})
        return seen

    for name in explains:
        assert name not in reachable(name, frozenset()), f"{name} explains itself through others"


def test_has_captures_that_show_it_and_near_misses(rule: Rule) -> None:
    assert case_file(rule.code, rule.name).exists()
    own = [case for case in cases() if case.rule == rule.name]
    assert any(case.bad for case in own), "no capture shows it"
    assert any(not case.bad for case in own), "no near miss"
    for case in own:
        assert all(capture.exists() for capture in case.captures), case.captures


def test_messages_use_only_what_hits_supply(rule: Rule) -> None:
    templates = (rule.title, rule.message, rule.why, rule.hence, *rule.fix)
    wanted = {name for text in templates for _, name, _, _ in string.Formatter().parse(text) if name}
    tree = ast.parse(Path(rule.file).read_text(encoding="utf-8"))
    hits = [
        {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Hit"
    ]
    for supplied in hits:
        assert wanted - {"client", "server"} <= supplied | ({*wanted} if None in supplied else set())


def test_limits_are_explained_and_named_after_what_they_count(rule: Rule) -> None:
    for name, value in rule.limits.items():
        assert f"`{name}`" in rule.documentation, "say in the docstring what the limit decides"
        assert name.endswith("_ms") or isinstance(value, float) or name.endswith("s"), "a time, a share or a plural"


def test_is_short(rule: Rule) -> None:
    # A page that one would send to a colleague, and one function; the documentation is most of it.
    assert len(Path(rule.file).read_text(encoding="utf-8").splitlines()) <= 160


@pytest.mark.parametrize("capture", healthy(), ids=lambda path: path.stem)
def test_healthy_traffic_has_no_faults(capture: Path) -> None:
    loud = [
        (diagnosis.finding.name, diagnosis.finding.summary)
        for diagnosis in report_of(capture).diagnoses
        if diagnosis.finding.severity >= Severity.WARNING
    ]
    assert not loud
