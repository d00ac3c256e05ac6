import io

from rich.console import Console

from eiosniff.model.finding import RuleInfo, Severity
from eiosniff.report import rule_text

RULE = RuleInfo(
    "EIO038", "client-ping-in-eio4", Severity.ERROR, "0.1.0", "The client sends PING", ("connect-loop",),
    (("What it reports", "A `2` of the client.\n"), ("How to fix", "1. Upgrade.\n2. Or:\n\n```\ncode\n```\n")),
)  # fmt: skip


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=80, color_system=None, _environ={}), written


def test_markdown() -> None:
    assert rule_text.markdown(RULE) == (
        "# EIO038 client-ping-in-eio4\n\n**The client sends PING**\n\nerror · since 0.1.0 · explains connect-loop\n\n"
        "## What it reports\n\nA `2` of the client.\n\n## How to fix\n\n1. Upgrade.\n2. Or:\n\n```\ncode\n```\n"
    )


def test_set_for_reading() -> None:
    place, written = console()
    rule_text.write(RULE, place)
    lines = [line.rstrip() for line in written.getvalue().split("\n")]
    assert lines[0] == "EIO038 client-ping-in-eio4"
    assert "How to fix" in lines
    assert " 1 Upgrade." in lines


def test_lists() -> None:
    place, written = console()
    rule_text.write_list([RULE], place)
    assert written.getvalue().split("\n")[1] == "EIO038  error     client-ping-in-eio4  The client sends PING"
    assert rule_text.plain_list([RULE]) == "EIO038\terror\tclient-ping-in-eio4\tThe client sends PING\n"
