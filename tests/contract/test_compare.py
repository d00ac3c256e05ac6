"""What `eiosniff compare` writes of recorded captures: JSON by its schema, text that fits and hides secrets."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from referencing import Registry, Resource
from rich.cells import cell_len

from eiosniff.cli.main import cli
from eiosniff.knowledge import differences
from eiosniff.rules import registry
from tests.cases import RECORDED

NODE = RECORDED / "healthy" / "node-4.8.4--node-4.8.4--upgrade.pcap.gz"
NODE_WEBSOCKET = RECORDED / "healthy" / "node-4.8.4--node-4.8.4--websocket.pcap.gz"
ENCRYPTED = RECORDED / "faulty" / "tls-failure-python-client-tls-1.2.pcap"
ARDUINO = RECORDED / "arduino" / "s3-arduino-old-eio3-to-v312-400.pcap"
SECRETS = RECORDED / "faulty" / "connect-error-auth-v4-server.pcap"
ACCEPTED = RECORDED / "near_miss" / "connect-error-auth-accepted.pcap"
FAULTY = sorted((RECORDED / "faulty").glob("*.pcap"))
SCHEMAS = {
    name: json.loads((files("eiosniff") / f"report/schema/{name}-1.json").read_text("utf-8"))
    for name in ("compare", "report")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMAS["compare"], registry=REGISTRY)


def run(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], **options)


def document(*arguments: object) -> Any:
    result = run("--format", "json", *arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    found = json.loads(result.stdout)
    VALIDATOR.validate(found)
    assert (result.exit_code == 1) == (found["first_difference"] is not None)
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS["compare"])


@pytest.mark.parametrize("failing", [NODE_WEBSOCKET, ARDUINO, ENCRYPTED, *FAULTY[::25]], ids=lambda path: path.stem)
def test_json_follows_the_schema_with_its_keys_in_order(failing: Path) -> None:
    found = document(NODE, failing)
    assert list(found) == list(SCHEMAS["compare"]["properties"])
    known = differences.load().steps
    order = [list(known).index(step["step"]) for step in found["steps"]]
    assert order == sorted(order)
    for step in found["steps"]:
        assert list(step) == list(SCHEMAS["compare"]["$defs"]["step"]["properties"])
    first = [fact for step in found["steps"] for fact in step["facts"] if fact["importance"] == "first"]
    assert len(first) == (found["first_difference"] is not None)


def test_steps_are_of_rules_that_there_are() -> None:
    """A rule without one is told without a place: adding a rule edits no file."""
    rules = {rule.name for rule in registry.with_others(()) if not rule.code.startswith("CAP")}
    assert differences.load().rules.keys() <= rules


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("failing", [ARDUINO, SECRETS, NODE_WEBSOCKET, ENCRYPTED], ids=lambda path: path.stem)
def test_text_fits(failing: Path, columns: int) -> None:
    result = run(ACCEPTED, failing, env={"COLUMNS": str(columns)})
    assert result.exit_code == (failing != NODE_WEBSOCKET)
    for line in result.stdout.splitlines():
        assert cell_len(line) <= columns
        assert line == line.rstrip()


def test_the_first_line_tells_the_cause_and_the_place_follows() -> None:
    lines = run(NODE, ARDUINO).stdout.splitlines()
    assert lines[0] == "ERROR  The server refuses the client's protocol version (EIO=3): 400 Bad Request"
    assert lines[3].startswith("  Parts  Handshake request, query EIO: WORKING 4 (packet 4); FAILING 3 (packet")


def test_secrets_are_hidden_and_differ_all_the_same() -> None:
    found = run(ACCEPTED, SECRETS)
    assert "stale-token" not in found.stdout
    assert "good-token" not in found.stdout
    for secret in ("stale-token", "good-token"):
        assert secret not in run("--format", "json", ACCEPTED, SECRETS).stdout
    shown = run("--no-redact", ACCEPTED, SECRETS).stdout
    assert "stale-token" in shown
    row = next(fact for step in document(ACCEPTED, SECRETS)["steps"] for fact in step["facts"]
               if fact["fact"] == "query token")  # fmt: skip
    assert (row["working"], row["failing"], row["importance"]) == ("[redacted]", "[redacted]", "may matter")
