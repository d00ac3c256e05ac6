"""Sizes and times as people write them: `100MB`, `1.5GiB`, `90s`, `1h30m`."""

import re
from collections.abc import Callable, Mapping

import click

# Without a unit, a size is in MB, as those of capturing programs are, and a time in seconds. Bytes, and nanoseconds.
_SIZES = {"": 10**6, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZES |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_SECOND = 10**9
_TIMES = {"": _SECOND, "s": _SECOND, "m": 60 * _SECOND, "min": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86_400 * _SECOND}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)
_LARGEST = 1e18


def parse_size(text: str) -> int:
    """Bytes, at least 1. Raises `ValueError`, with the words for a person."""
    return int(_total(text, _SIZES, "a size, such as '100MB' or '2GiB'"))


def parse_time_ns(text: str) -> int:
    """Nanoseconds, at least 1. Raises `ValueError`, with the words for a person."""
    return int(_total(text, _TIMES, "a time, such as '90s', '15m' or '1h30m'"))


def _total(text: str, units: Mapping[str, int], what: str) -> float:
    """The sum of all parts, each a number with its unit."""
    lower = text.strip().lower()
    parts = _PART.findall(lower)
    written = [unit for _, unit in parts]
    whole = "".join("".join(part) for part in parts) == "".join(lower.split())
    sound = written and whole and all(unit in units for unit in written) and (len(written) == 1 or all(written))
    if not sound:
        raise ValueError(f"{text!r} is not {what}")
    total = sum(float(number) * units[unit] for number, unit in parts)
    if not 1 <= total <= _LARGEST:
        raise ValueError(f"{text!r} is too {'little' if total < 1 else 'much'}")
    return total


def size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """The callback of an option that takes a size; it has bytes then."""
    return _converted(parse_size, context, parameter, value)


def time_ns(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """The callback of an option that takes a time; it has nanoseconds then."""
    return _converted(parse_time_ns, context, parameter, value)


def _converted(
    parse: Callable[[str], int], context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    try:
        return None if value is None else parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
