"""Rules of other people: what of a file or a package is taken, and what is said where it cannot be."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiosniff.errors import EiosniffError
from eiosniff.model.finding import Severity
from eiosniff.rules import user_rules
from eiosniff.rules.api import Hit, Rule
from eiosniff.rules.registry import all_rules, with_others

RULE = '''
from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule

GIVEN = dict(code="MY001", name="my-rule", subject=Session, severity=Severity.INFO, title="T", message="M", why="W",
             fix="F")

@rule(**GIVEN)
def my_rule(session):
    """Something."""
    yield Hit()
'''


def written(folder: Path, text: str, name: str = "mine.py") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def complaint(*files: str) -> str:
    with pytest.raises(EiosniffError) as raised:
        with_others(files)
    return str(raised.value)


def of_others(*files: str) -> list[Rule]:
    return [rule for rule in with_others(files) if rule.origin]


def test_a_file_adds_its_rules(tmp_path: Path) -> None:
    file = written(tmp_path, RULE)
    (mine,) = of_others(file)
    assert (mine.code, mine.name, mine.origin, mine.file) == ("MY001", "my-rule", file, file)
    assert (mine.fix, mine.since, mine.info().title) == (("F",), "", "Something")
    assert set(all_rules()) < set(with_others([file]))
    assert [rule.code for rule in with_others([file])] == sorted(rule.code for rule in with_others([file]))


def test_a_file_that_is_given_twice_counts_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = written(tmp_path, RULE)
    assert len(of_others(file, file)) == 1
    assert list(tmp_path.iterdir()) == [Path(file)]


def test_a_relative_path_is_that_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, code in (("a", "MYA001"), ("b", "MYB001")):
        written(tmp_path / folder, RULE.replace("MY001", code))
        monkeypatch.chdir(tmp_path / folder)
        assert [(rule.code, rule.origin) for rule in of_others("mine.py")] == [(code, "mine.py")]


def test_what_a_file_imports_is_not_its_own(tmp_path: Path) -> None:
    text = "from eiosniff.rules.engineio.eio089_connect_loop import connect_loop\n"
    assert "holds no rule" in complaint(written(tmp_path, text))
    assert [rule.code for rule in of_others(written(tmp_path, text + RULE, "both.py"))] == ["MY001"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mine.py holds no rule; a rule is a function with @rule(...) above it"),
        ("import eiosniff\n\nprint((\n", "mine.py, line 3: SyntaxError: '(' was never closed"),
        ("\nimport nowhere\n", "mine.py, line 2: ModuleNotFoundError: No module named 'nowhere'"),
        ("\n\ndef f():\n    raise KeyError\n\nf()\n", "mine.py, line 4: KeyError"),
        ("import sys\nsys.exit(1)\n", "mine.py, line 2: SystemExit: 1"),
        (RULE.replace('why="W",', ""), "TypeError: rule() missing 1 required keyword-only argument: 'why'"),
        ("\0", "mine.py: ValueError"),
    ],
)
def test_a_file_that_is_of_no_use(tmp_path: Path, text: str, words: str) -> None:
    said = complaint(written(tmp_path, text))
    assert words in said or words.replace("ValueError", "SyntaxError") in said  # from Python 3.12 on


def test_a_path_that_is_of_no_use(tmp_path: Path) -> None:
    remedy = "; --rules takes the path of a Python file with rules"
    assert complaint(str(tmp_path / "none.py")) == f"{tmp_path}/none.py: there is no such file{remedy}"
    assert complaint(str(tmp_path)) == f"{tmp_path}: Is a directory{remedy}"
    assert complaint("").startswith("'': ")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("MY001", "EIO038", "EIO038 is taken by client-ping-in-eio4 (EIO038) of eiosniff; take a code and a name"),
        ('"my-rule"', '"connect-loop"', "connect-loop is taken by connect-loop (EIO089) of eiosniff"),
        ("MY001", "my1", "the code 'my1' is not usable; take letters and three digits, such as MY001"),
        ("MY001", "INT001", "the code 'INT001' is not usable"),
        ("my-rule", "My rule", "the name 'My rule' is not usable; take lower case with hyphens"),
        ("subject=Session", "subject=Hit", "its subject is no ledger; take Session, Client, Server, CaptureSummary"),
        ("Severity.INFO", '"info"', "the severity 'info' is none; take Severity.ERROR, WARNING or INFO"),
        ('fix="F"', 'fix="F", limits={"x": "3"}', "the limit 'x' is not usable"),
        ('fix="F"', 'fix="F", limits={"X": 3}', "the limit 'X' is not usable"),
        ('fix="F"', 'fix="send {}"', "a place in 'send {}' has no name"),
        ('message="M"', 'message="{client"', "the text '{client' cannot be filled in"),
        ('    """Something."""\n', "", "it is not documented; begin the docstring of its function with a sentence"),
        ('"""Something."""', '"""## How to fix\n    So."""', "it is not documented"),
        (
            '"""Something."""',
            '"""Something.\n\n    ## How to mend\n    So."""',
            "it has the heading 'How to mend'; did you mean 'How to fix'?",
        ),
        (
            '"""Something."""',
            '"""Something.\n\n    ## Author\n    Me."""',
            "it has the heading 'Author'; there are What it reports, Why it matters,",
        ),
        (
            '"""Something."""',
            '"""Something.\n\n    ## How to fix\n    So.\n\n    ## What it reports\n    It."""',
            "its headings are not in order",
        ),
        ('fix="F"', 'fix="F", explains="conect-loop"', "no such rule; did you mean connect-loop?"),
        ('fix="F"', 'fix="F", explains=["zzz"]', "and there is no such rule; `eiosniff rules` lists all"),
        ('fix="F"', 'fix="F", explains=["my-rule"]', "it explains itself, through what it explains"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_used(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in RULE
    file = written(tmp_path, RULE.replace(before, after))
    said = complaint(file)
    assert said.startswith(f"{file}: rule ")
    assert words in said


def test_rules_of_two_files_must_not_share_a_code(tmp_path: Path) -> None:
    first, second = written(tmp_path, RULE), written(tmp_path, RULE.replace("my-rule", "other"), "two.py")
    assert f"two.py: rule other: MY001 is taken by my-rule (MY001) of {first}" in complaint(first, second)


def test_rules_of_two_files_may_explain_each_other_one_way_only(tmp_path: Path) -> None:
    one = RULE.replace('fix="F"', 'fix="F", explains="other"')
    two = RULE.replace("MY001", "MY002").replace("my-rule", "other")
    first, second = written(tmp_path, one), written(tmp_path, two, "two.py")
    assert len(of_others(first, second)) == 2
    third = written(tmp_path, two.replace('fix="F"', 'fix="F", explains="my-rule"'), "three.py")
    assert "explains itself" in complaint(first, third)


def test_the_docstring_of_a_function_wins_unless_it_points_to_that_of_the_module(tmp_path: Path) -> None:
    module = '"""Of the module."""\n' + RULE
    (mine,) = of_others(written(tmp_path, module))
    assert mine.info().title == "Something"
    for number, docstring in enumerate(("", '    """See the module."""\n')):
        text = module.replace('    """Something."""\n', docstring)
        (mine,) = of_others(written(tmp_path, text, f"{number}.py"))
        assert mine.info().title == "Of the module"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with an installed package that offers rules."""
    written(tmp_path / "acme", RULE, "__init__.py")
    info = tmp_path / "acme_rules-1.2.dist-info"
    written(info, "Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.2\n", "METADATA")
    written(info, "[eiosniff.rules]\nacme = acme\n", "entry_points.txt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme", raising=False)
    user_rules.installed.cache_clear()
    yield tmp_path
    sys.modules.pop("acme", None)
    user_rules.installed.cache_clear()


def test_a_package_adds_its_rules(package: Path) -> None:
    assert [(rule.code, rule.origin) for rule in of_others()] == [("MY001", "acme-rules 1.2")]


def test_a_package_may_offer_a_list(package: Path) -> None:
    written(package / "acme", RULE + "\nRULES = [my_rule]\n", "__init__.py")
    written(package / "acme_rules-1.2.dist-info", "[eiosniff.rules]\na = acme:RULES\nb = acme\n", "entry_points.txt")
    assert [rule.code for rule in of_others()] == ["MY001"]


def test_a_package_may_explain_rules_of_another_one(package: Path) -> None:
    written(package / "acme", RULE.replace('fix="F"', 'fix="F", explains=["of-another-package"]'), "__init__.py")
    assert [rule.code for rule in of_others()] == ["MY001"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere", "the rules of acme-rules 1.2 (acme) do not load: ModuleNotFoundError: No module"),
        ("x = 1", "acme-rules 1.2 offers rules in acme, and none is there"),
        (RULE.replace("MY001", "EIO038"), "acme-rules 1.2: rule my-rule: EIO038 is taken"),
        (RULE.replace("MY001", "38"), "acme-rules 1.2: rule my-rule: the code '38' is not usable"),
    ],
)  # fmt: skip
def test_a_package_that_is_of_no_use(package: Path, text: str, words: str) -> None:
    written(package / "acme", text, "__init__.py")
    assert words in complaint()


def test_packages_are_named_with_what_to_do(package: Path) -> None:
    written(package / "acme", "x = 1", "__init__.py")
    assert complaint().endswith("update that package or remove it (pip uninstall acme-rules)")


def test_severity_and_limits_of_the_user_win() -> None:
    loop = next(rule for rule in all_rules() if rule.name == "connect-loop")
    assert loop.adjusted(None, {}) is loop
    assert loop.severity_of(Hit(severity=Severity.INFO)) is Severity.INFO
    changed = loop.adjusted(Severity.WARNING, {"fewest_lives": 9})
    assert changed.severity_of(Hit(severity=Severity.ERROR)) is Severity.WARNING
    assert changed.severity_of(Hit()) is Severity.WARNING
    assert changed.limits == {**loop.limits, "fewest_lives": 9}
    assert loop.limits["fewest_lives"] == 3
