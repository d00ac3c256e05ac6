import io
from dataclasses import replace

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
        "# EIO038 client-ping-in-eio4\n\n**The client sends PING**\n\nerror · since 0.1.0 · may cause connect-loop\n\n"
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


def test_limits_stand_as_in_a_configuration() -> None:
    rule = replace(RULE, limits=(("fewest_lives", 3), ("short_life_ms", 2500), ("alike_share", 0.25)))
    assert rule_text.markdown(rule).endswith(
        "## Limits\n\nThe thresholds by which it judges. To set others than these, write them into `eiosniff.toml`:\n\n"
        "```toml\n[limits]\n"
        "client-ping-in-eio4.fewest_lives = 3      # number of lives\n"
        "client-ping-in-eio4.short_life_ms = 2500  # milliseconds: 2.5 s\n"
        "client-ping-in-eio4.alike_share = 0.25    # share\n```\n"
    )
    assert "Limits" not in rule_text.markdown(RULE)


def test_rules_of_others_say_where_they_are_from() -> None:
    rule = replace(RULE, origin="a\x1b[31m.py", since="", sections=())
    assert "error · from a\\x1b[31m.py · may cause" in rule_text.markdown(rule)
    assert rule_text.plain_list([rule]).split("\t")[3:] == ["The client sends PING", "a\\x1b[31m.py\n"]
    place, written = console()
    rule_text.write_list([rule], place)
    rule_text.write(rule, place)
    assert "The client sends PING (a\\x1b[31m.py)" in written.getvalue()
    assert "\x1b" not in written.getvalue()
