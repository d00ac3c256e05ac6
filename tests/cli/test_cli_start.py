"""What a command imports before it does its work: nothing that it does not need, as people wait for it each time."""

import pytest

from tests.cases import RECORDED
from tests.cli.test_cli_process import python

CAPTURE = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"
# scapy and zstandard are for captures that need them; the others of these are no dependencies at all.
FOREIGN = {"scapy", "zstandard", "pyshark", "jinja2", "dpkt"}


def _modules(*arguments: object) -> set[str]:
    """The modules that a run of eiosniff imports."""
    result = python("-X", "importtime", "-m", "eiosniff", *map(str, arguments))
    assert result.returncode == 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def _imported(*arguments: object) -> set[str]:
    """The packages at the top level that a run of eiosniff imports."""
    return {module.partition(".")[0] for module in _modules(*arguments)}


@pytest.mark.parametrize(
    "arguments",
    ["--version", "--help", "-h", "analyze --help", "decode --help", "demo --help", "rules --help"],
)
def test_version_and_help_import_nothing_heavy(arguments: str) -> None:
    imported = _imported(*arguments.split())
    assert {"eiosniff", "click"} <= imported
    assert not imported & (FOREIGN | {"numpy", "rich", "msgspec"})


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("analyze --format json", {"rich"}),
        ("analyze", set()),
        ("decode --format jsonl", {"rich"}),
        ("decode", set()),
        ("rules list", {"numpy"}),
        ("rules show EIO038", {"numpy"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_commands_import_what_they_need(command: str, unneeded: set[str]) -> None:
    arguments: list[object] = [*command.split()]
    if arguments[0] == "analyze":
        arguments += ["--fail-on", "never"]
    if arguments[0] in ("analyze", "decode"):
        arguments.append(CAPTURE)
    imported = _imported(*arguments)
    assert "eiosniff" in imported
    assert not imported & (FOREIGN | unneeded)


@pytest.mark.parametrize("arguments", [("rules", "list"), ("analyze", "--fail-on", "never", CAPTURE)])
def test_rules_of_packages_cost_nothing_where_there_are_none(arguments: tuple[object, ...]) -> None:
    """What reads the metadata of packages takes longer to import than all of eiosniff's rules."""
    assert not _modules(*arguments) & {"importlib.metadata", "configparser"}


def test_what_is_for_other_captures_costs_nothing_where_all_is_in_clear() -> None:
    """Keys, tshark, HTTP/2 and HTTP/3, HAR, and what compares captures."""
    modules = _modules("analyze", "--format", "json", "--fail-on", "never", CAPTURE)
    assert not modules & {"cryptography", "hpack", "pylsqpack", "asyncio", "subprocess"}
    unneeded = ("eiosniff.capture.har", "eiosniff.capture.leftover", "eiosniff.capture.tshark", "eiosniff.comparison")
    assert not [module for module in modules if module.startswith(unneeded)]
