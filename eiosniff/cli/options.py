"""Options that several commands share, and the checks of what they are given."""

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eiosniff.cli.exits import FAIL_ON

if TYPE_CHECKING:
    from eiosniff.model.finding import RuleInfo

Command = TypeVar("Command", bound=Callable[..., Any])
Value = TypeVar("Value", str | None, tuple[str, ...])


def not_empty(context: click.Context, parameter: click.Parameter, value: Value) -> Value:
    """A callback: a value, or each of several, has to be more than an empty text."""
    if "" in (value if isinstance(value, tuple) else (value,)):
        raise click.BadParameter("the value is empty", context, parameter)
    return value


def captures(command: Command) -> Command:
    """The captures to read."""
    return click.argument(
        "captures", metavar="CAPTURE...", nargs=-1, required=True, is_eager=True, callback=_check_captures
    )(command)


def joining(command: Command) -> Command:
    """Whether several files are one capture."""
    command = click.option(
        "--one-by-one", "joined", flag_value="no",
        help="Analyse each file by itself, even if they look like parts of one capture. "
        "Example: --one-by-one run1.pcap run2.pcap",
    )(command)  # fmt: skip
    return click.option(
        "--as-one", "joined", flag_value="yes",
        help="Read all files as one capture, in order of time. Without it, files are read as one if their names differ "
        "in counters or times alone and each begins where the one before ends. Example: --as-one monday.pcap more.pcap",
    )(command)  # fmt: skip


def is_joined(value: str | None) -> bool | None:
    """What was chosen by `joining`: all files as one, none, or what they look like."""
    return None if value is None else value == "yes"


def output(command: Command) -> Command:
    """Where to write to."""
    return _output("Write to FILE instead of standard output; it appears when it is complete. Example: -o out.json")(
        command
    )


def stream_output(command: Command) -> Command:
    """Where to write to what comes bit by bit."""
    return _output(
        "Write to FILE instead of standard output: with a screen the report at the end, else each event at once, "
        "behind what is in it. Example: -o events.jsonl"
    )(command)


def _output(text: str) -> Callable[[Command], Command]:
    return click.option("-o", "--output", metavar="FILE", callback=_check_output, help=text)


def places(command: Command) -> Command:
    """Which conversations to look at."""
    command = click.option(
        "--path", metavar="PATH", callback=_check_path,
        help="Only Engine.IO under this request path. Example: --path /socket.io/",
    )(command)  # fmt: skip
    return click.option(
        "--port", "ports", metavar="N", type=click.IntRange(1, 65535), multiple=True,
        help="Only connections with this TCP port; may be repeated. Example: --port 3000",
    )(command)  # fmt: skip


def keylog(command: Command) -> Command:
    """Where the secrets of TLS connections are."""
    return click.option(
        "--keylog", metavar="FILE", multiple=True,
        help="Decrypt TLS with the secrets in this key log (node --tls-keylog=FILE; SSLKEYLOGFILE=FILE for Chrome, "
        "Firefox, curl); may be repeated. Without it, the file that SSLKEYLOGFILE names is used, if it is there; and "
        "what a pcapng carries, always. Example: --keylog keys.log",
    )(command)  # fmt: skip


def no_redact(command: Command) -> Command:
    """Whether to show secrets."""
    return click.option(
        "--no-redact", is_flag=True,
        help="Show tokens, cookies, authentication data and the like instead of [redacted]. Session ids always show.",
    )(command)  # fmt: skip


def no_color(command: Command) -> Command:
    """Whether to do without colours."""
    return click.option(
        "--no-color", is_flag=True, help="No colours on a terminal; NO_COLOR=1 in the environment does the same."
    )(command)


def fail_on(default: str) -> Callable[[Command], Command]:
    """From which severity on the exit code says that something was found."""
    return click.option(
        "--fail-on", type=click.Choice(FAIL_ON), default=default, show_default=True,
        help="The exit code is 1 when something of this severity or a worse one was found. Example: --fail-on error",
    )  # fmt: skip


def rule_list(option: str, text: str) -> Callable[[Command], Command]:
    """An option that takes rules, by code or name, with commas between them: `named_rules` has their codes."""
    return click.option(option, metavar="RULE,...", multiple=True, help=text)


def rule_files(command: Command) -> Command:
    """Rules of the user's own."""
    return click.option(
        "--rules", "rule_files", metavar="FILE", multiple=True,
        help="Use the rules in this Python file too, which is run; may be repeated. Example: --rules my_rules.py",
    )(command)  # fmt: skip


def configuration(command: Command) -> Command:
    """Where the configuration is."""
    command = click.option(
        "--no-config", is_flag=True, help="No configuration, even if there is one in the current folder."
    )(command)
    return click.option(
        "--config", metavar="FILE",
        help="Read the configuration from this .toml or .cfg file, and not from eiosniff.toml or setup.cfg in the "
        "current folder. Example: --config ci.toml",
    )(command)  # fmt: skip


def judging(command: Command) -> Command:
    """Which rules judge, how, and when that is a failure: `choice.chosen` puts it together."""
    for add in (
        configuration,
        rule_files,
        rule_list("--ignore", "All rules but these, by code or name. Example: --ignore no-backoff"),
        rule_list("--select", "Only these rules, by code or name. Example: --select EIO038,connect-loop"),
        fail_on("warning"),
    ):
        command = add(command)
    return command


def named_rules(option: str, values: Sequence[str], rules: "Sequence[RuleInfo]") -> frozenset[str]:
    """The codes of the rules that were given to an option of `rule_list`."""
    codes = set()
    for label in (label.strip() for value in values for label in value.split(",")):
        rule = find_rule(label, rules)
        if rule is None:
            problem = (
                f"there is no rule {label!r}; {closest_rules(label, rules)}"
                if label
                else "a rule is missing in the list"
            )
            raise click.BadParameter(problem, param_hint=f"'{option}'")
        codes.add(rule.code)
    return frozenset(codes)


def find_rule(label: str, rules: "Sequence[RuleInfo]") -> "RuleInfo | None":
    """The rule with this code or name, in any case."""
    wanted = label.strip().lower()
    return next((rule for rule in rules if wanted in (rule.code.lower(), rule.name)), None)


def closest_rules(wanted: str, rules: "Sequence[RuleInfo]") -> str:
    """The rules whose code or name looks like `wanted`, as the end of a sentence."""
    known = {label.lower(): label for rule in rules for label in (rule.code, rule.name)}
    return closest(wanted, known) or "`eiosniff rules` lists all of them"


def closest(wanted: str, known: Mapping[str, str]) -> str:
    """Which of the known words (by what they are in lower case) looks like `wanted`, as a question; empty if none."""
    lower = wanted.strip().lower()
    close = [known[label] for label in difflib.get_close_matches(lower, known, n=3, cutoff=0.6)]
    close += [label for key, label in known.items() if len(lower) > 2 and lower in key and label not in close]
    return f"did you mean {' or '.join(close[:3])}?" if close else ""


def _check_captures(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> Sequence[str]:
    if values.count("-") > 1:
        raise click.BadParameter("standard input (-) can only be read once", context, parameter)
    if "-" in values and sys.stdin.isatty():
        raise click.BadParameter(
            "standard input (-) is a terminal; pipe a capture into it: tcpdump -w - | eiosniff analyze -",
            context, parameter,
        )  # fmt: skip
    from eiosniff.capture.rotation import expand

    return expand(values)


def _check_output(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Complain before the work begins about what is bound to fail at its end."""
    if value is None or value == "-":
        return value
    try:
        problem = _output_problem(Path(value), _captures(context)) if value else "the name is empty"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise click.BadParameter(problem, context, parameter)
    return value


def _captures(context: click.Context) -> Sequence[str]:
    """The captures that are to be read, of any command."""
    given = context.params
    return (*given.get("captures", ()), *(given[name] for name in ("working", "failing") if given.get(name)))


def _output_problem(path: Path, captures: Sequence[str]) -> str:
    if path.is_dir():
        return f"{path} is a directory"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}"
    if path.exists() and any(Path(capture).exists() and path.samefile(capture) for capture in captures):
        return f"{path} is a capture that is to be read; it would be lost"
    return ""


def _check_path(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith("/"):
        raise click.BadParameter(f"a request path begins with a slash: /{value}", context, parameter)
    return value
