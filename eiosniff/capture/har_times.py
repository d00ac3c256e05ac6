"""Instants and durations of a HAR, as its writers write them."""

import math
import re
from datetime import date
from typing import Any

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?\s*(?:[Zz]|([+-])(\d\d):?(\d\d))?\s*", re.ASCII
)
_DAYS_TO_1970 = date(1970, 1, 1).toordinal()
# Chrome gives a WebSocket that was never connected an instant in 1969, and its messages a clock that began with the
# machine: what is before this is no instant.
_EARLIEST_NS = 631_152_000 * NS_PER_S  # 1990
_LATEST_NS = 7_258_118_400 * NS_PER_S  # 2200
# A number of seconds since 1970 has fewer digits than this (milliseconds and microseconds: see `instant`).
_SECONDS_BELOW = 1e11
_LONGEST_MS = 1e12


def moment(value: Any) -> tuple[int, int]:
    """An instant (`startedDateTime`: ISO 8601, or a number as in `instant`) as ns since 1970, and how exact it is (ns);
    0 for one that is none."""
    if _number(value) is not None:
        return instant(value), NS_PER_MS
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return 0, 0
    year, month, day, hour, minute, second = (int(found.group(at)) for at in range(1, 7))
    try:
        days = date(year, month, day).toordinal() - _DAYS_TO_1970
    except ValueError:
        return 0, 0
    digits = found.group(7) or ""
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    if found.group(8):
        offset = int(found.group(9)) * 3600 + int(found.group(10)) * 60
        seconds -= offset if found.group(8) == "+" else -offset
    ns = seconds * NS_PER_S + int(digits.ljust(9, "0"))
    return (ns, 10 ** (9 - len(digits))) if _EARLIEST_NS <= ns <= _LATEST_NS else (0, 0)


def instant(value: Any) -> int:
    """The instant of a WebSocket message as ns since 1970: seconds in the files of Chrome and mitmproxy; others write
    milliseconds or ISO 8601. 0 for one that is none."""
    number = _number(value)
    if number is None:
        return moment(value)[0]
    while number >= _SECONDS_BELOW:
        number /= 1000
    ns = round(number * 1_000_000) * 1000  # a float holds no more
    return ns if _EARLIEST_NS <= ns <= _LATEST_NS else 0


def since_start(value: Any) -> int:
    """Seconds of a clock that began some time, as ns; 0 for what is no number."""
    number = _number(value)
    return round(number * 1_000_000) * 1000 if number is not None and 0 <= number < _SECONDS_BELOW else 0


def duration(value: Any) -> int:
    """Milliseconds, as ns; 0 for -1 (does not apply) and for what is no duration."""
    number = _number(value)
    return round(number * NS_PER_MS) if number is not None and 0 < number < _LONGEST_MS else 0


def applies(value: Any) -> bool:
    """Whether a duration is there: not -1, as HAR 1.2 writes what does not apply."""
    number = _number(value)
    return number is not None and number >= 0


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
