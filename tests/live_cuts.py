"""A capture judged again and again while it grows, as `eiosniff live` does it, from a file."""

from collections.abc import Iterator
from pathlib import Path

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.model.finding import Diagnosis
from eiosniff.rules.diagnosis import diagnose

RULES = app.chosen_rules(app.Options())


def judged(capture: Path, packets: int) -> tuple[list[Diagnosis], int]:
    """What is found in the first so many packets, and the instant of the last of them."""
    analysis = app.Analysis(str(capture), app.Options(), RULES)
    with open_source(str(capture), batch_size=packets) as source:
        batch = next(iter(source.batches()))
    now_ns = int(batch.ts_ns.max())
    summary = analysis.summary
    summary.first_ns, summary.last_ns, summary.packets = int(batch.ts_ns.min()), now_ns, len(batch)
    analysis.stack.feed(batch)
    analysis.close()
    return diagnose(analysis.findings(), RULES), now_ns


def count(capture: Path) -> int:
    """How many packets there are."""
    with open_source(str(capture)) as source:
        return sum(len(batch) for batch in source.batches())


def growing(capture: Path, step: int = 1, most: int = 10_000) -> Iterator[tuple[int, list[Diagnosis], int]]:
    """So many packets, and what is found in them at which instant: after each `step`, up to `most` of them."""
    packets = count(capture)
    for number in [*range(step, min(packets, most), step), min(packets, most)]:
        yield number, *judged(capture, number)
