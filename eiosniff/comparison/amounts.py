"""Durations in the facts of a comparison. (`eiosniff.report` is a sibling, which nothing here may import.)"""

from eiosniff.model.tally import NS_PER_MS, NS_PER_S


def duration(ns: int) -> str:
    """A duration for people: `<0.1 ms`, `0.8 ms`, `120 ms`, `20.5 s`."""
    if ns < 50_000:
        return "<0.1 ms"
    if ns < 9_950_000:
        return f"{ns / NS_PER_MS:.1f} ms"
    if ns < 999_500_000:
        return f"{ns / NS_PER_MS:.0f} ms"
    return f"{ns / NS_PER_S:.1f} s"
