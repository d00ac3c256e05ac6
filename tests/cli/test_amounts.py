"""Sizes and times are taken as people write them, and what is neither is refused with a word that helps."""

import click
import pytest
from click.testing import CliRunner

from eiosniff.cli import amounts
from eiosniff.cli.amounts import parse_size, parse_time_ns


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100", 100_000_000),
        ("100MB", 100_000_000),
        ("100 mb", 100_000_000),
        ("0.5G", 500_000_000),
        ("64kB", 64_000),
        ("2MiB", 2 << 20),
        ("1b", 1),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5s", 1.5),
        ("15m", 900),
        ("15min", 900),
        ("1h", 3600),
        ("1h30m", 5400),
        ("2d 1h", 176_400),
    ],
)
def test_times(text, seconds):
    assert parse_time_ns(text) == seconds * 1_000_000_000


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "1x", "1,5", "1h30x", "1 2", "1h 30", "x1h", "1h;", "\u0661s", "1e9", "nan"]
)
def test_what_is_neither(text):
    with pytest.raises(ValueError, match="is not a size, such as '100MB'"):
        parse_size(text)
    with pytest.raises(ValueError, match="is not a time, such as '90s'"):
        parse_time_ns(text)


@pytest.mark.parametrize(("text", "what"), [("0", "too little"), ("9" * 400, "too much")])
def test_what_is_out_of_range(text, what):
    for parse in (parse_size, parse_time_ns):
        with pytest.raises(ValueError, match=what):
            parse(text)


@click.command()
@click.option("--size", callback=amounts.size)
@click.option("--time", callback=amounts.time_ns)
def command(size, time):
    click.echo(f"{size} {time}")


def test_as_options():
    assert CliRunner().invoke(command, ["--size", "1MB", "--time", "5s"]).output == "1000000 5000000000\n"
    assert CliRunner().invoke(command, []).output == "None None\n"
    refused = CliRunner().invoke(command, ["--time", "soon"])
    assert refused.exit_code == 2
    assert "Invalid value for '--time': 'soon' is not a time, such as '90s'" in refused.output
