import pytest

from tests.cli.stand_in import Run


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_list(run: Run, arguments: list[str]) -> None:
    result = run("rules", *arguments)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "EIO038\terror\tclient-ping-in-eio4\tThe client sends PING"


@pytest.mark.parametrize("label", ["EIO038", "eio038", "client-ping-in-eio4"])
def test_show(run: Run, label: str) -> None:
    result = run("rules", "show", label)
    assert result.exit_code == 0
    assert result.stdout.startswith("# EIO038 client-ping-in-eio4\n")
    assert "## How to fix\n\nUpgrade.\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show"], "Missing argument 'CODE-OR-NAME'"),
        (["show", "conect-loop"], "there is no rule 'conect-loop'; did you mean connect-loop?"),
        (["show", ""], "`eiosniff rules` lists all of them"),
        (["show", "EIO038", "EIO089"], "unexpected extra argument"),
        (["show", "connect_loop"], "did you mean connect-loop?"),
        (["shwo"], "No such command 'shwo'"),
        (["EIO038"], "No such command 'EIO038'. `eiosniff rules show NAME` shows a rule."),
    ],
)
def test_mistakes(run: Run, arguments: list[str], complaint: str) -> None:
    result = run("rules", *arguments)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())
