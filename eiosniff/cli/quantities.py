"""Options that are a time or a size, written as people write them."""

import re
from typing import Any

import click

_NS = 1_000_000_000
_TIMES = {"ms": _NS // 1000, "": _NS, "s": _NS, "m": 60 * _NS, "min": 60 * _NS, "h": 3600 * _NS, "d": 86400 * _NS}
_SIZES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZES.update({unit[0]: factor for unit, factor in list(_SIZES.items()) if unit in ("kb", "mb", "gb")})
_WRITTEN = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)


class _Quantity(click.ParamType[int]):
    """A number with a unit; an integer comes out of it, `least` or more."""

    def __init__(self, name: str, units: dict[str, int], wanted: str, least: int = 1) -> None:
        self.name = name
        self._units = units
        self._wanted = wanted
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType`."""
        if isinstance(value, int):
            return value
        written = _WRITTEN.fullmatch(value)
        factor = self._units.get(written[2].lower()) if written else None
        amount = round(float(written[1]) * factor) if written and factor else -1
        if amount < self._least:
            self.fail(f"{value!r} is no {self.name}; {self._wanted}", param, ctx)
        return amount


# In nanoseconds, and in bytes.
DURATION = _Quantity("time", _TIMES, "write 90 (seconds), 90s, 5m, 1h or 2d")
WAIT = _Quantity("time", _TIMES, "write 0, 90 (seconds), 90s, 5m, 1h or 2d", 0)
SIZE = _Quantity("size", _SIZES, "write 500kB, 100MB or 2GB")
