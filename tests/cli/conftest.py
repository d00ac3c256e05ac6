import pytest
from click.testing import CliRunner, Result

from eiosniff import app
from eiosniff.cli.main import cli
from tests.cli.stand_in import RULES, Application, Run


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Application:
    """What the commands get for `eiosniff.app`."""
    made = Application()
    monkeypatch.setattr(app, "analyze", made.analyze)
    monkeypatch.setattr(app, "decode", made.decode)
    monkeypatch.setattr(app, "rules", lambda files=(): RULES)
    for name in ("COLUMNS", "NO_COLOR", "EIOSNIFF_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def run(application: Application) -> Run:
    """Run a command line, return its result."""

    def run_command(*arguments: object, **options: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], **options)  # type: ignore[arg-type]

    return run_command
