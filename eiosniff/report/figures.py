"""Numbers as the reports write them: instants, durations, sizes, counts, display filters."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

_NS_PER_S = 1_000_000_000
_DAYS_TO_1970 = date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS = 146_097  # after which the Gregorian calendar repeats itself


def iso_time(ts_ns: int) -> str:
    """ISO 8601 in UTC with nanoseconds. A damaged capture may name any year, so `datetime` will not do."""
    seconds, nanoseconds = divmod(ts_ns, _NS_PER_S)
    days, second = divmod(seconds, 86_400)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{nanoseconds:09d}"
    return f"{_iso_date(days)}T{clock}Z"


@lru_cache(64)  # a report names thousands of instants of the same day
def _iso_date(days: int) -> str:
    """The date so many days after 1970-01-01."""
    cycles, day = divmod(_DAYS_TO_1970 + days - 1, _DAYS_IN_400_YEARS)
    in_cycle = date.fromordinal(day + 1)
    year = in_cycle.year + 400 * cycles
    years = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return f"{years}-{in_cycle.month:02d}-{in_cycle.day:02d}"


def milliseconds(ns: int) -> int | float:
    """A duration for programs: whole from 10 ms on, to the microsecond below."""
    if abs(ns) >= 10_000_000:
        return round(ns / 1_000_000)
    exact = round(ns / 1_000_000, 3)
    return int(exact) if exact == int(exact) else exact


def duration(ns: int) -> str:
    """A duration for people, to three digits or so: `<0.1 ms`, `0.8 ms`, `20.5 s`, `12 min 5 s`, `3 h 12 min`."""
    ms = ns / 1_000_000
    if abs(ms) < 0.05:
        return "<0.1 ms" if ns else "0 ms"
    if abs(ms) < 9.95:
        return f"{ms:.1f} ms"
    if abs(ms) < 999.5:
        return f"{ms:.0f} ms"
    if abs(ms) < 119_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    for unit, size, smaller, smaller_size in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} {seconds % size // smaller_size} {smaller}"
    return f"{seconds // 60} min {seconds % 60} s"


def relative(ts_ns: int, since_ns: int | None) -> str:
    """Seconds since the first packet of the capture, as Wireshark's time column shows them, to the millisecond."""
    passed = round((ts_ns - (ts_ns if since_ns is None else since_ns)) / 1_000_000)
    sign = "-" if passed < 0 else ""
    return f"{sign}{abs(passed) // 1000}.{abs(passed) % 1000:03d}"


def size(octets: int) -> str:
    """A number of bytes: `17 bytes`, `3.4 kB`, `1.2 MB`."""
    if octets < 1000:
        return counted(octets, "byte")
    amount = float(octets)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 packet`, `1,234 packets`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def display_filter(packets: Iterable[int]) -> str:
    """Wireshark's display filter for packets of one file, by their numbers; empty when there are none."""
    numbers = sorted(set(packets))
    return f"frame.number in {{{', '.join(map(str, numbers))}}}" if numbers else ""
