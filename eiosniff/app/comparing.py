"""Where two conversations first part."""

from pathlib import Path
from typing import TYPE_CHECKING

from eiosniff.app.analysis import analyze
from eiosniff.app.setting import Options, Progress
from eiosniff.errors import EiosniffError

if TYPE_CHECKING:
    from eiosniff.comparison.choice import Material, Wanted
    from eiosniff.model.comparison import Comparison


def compare(
    working: str,
    failing: str,
    options: Options,
    progress: Progress | None = None,
    *,
    chosen: "tuple[Wanted, Wanted] | None" = None,
) -> "Comparison":
    """Compare the conversation that went best in one capture with the one that fails in another, or in the same.

    `chosen` are the two that the user wants, if not these. Raises `EiosniffError` where there is nothing to compare.
    """
    from eiosniff.comparison import choice, weighing

    of_working, of_failing = chosen or (choice.Wanted(), choice.Wanted())
    good = _material(working, options, progress)
    bad = good if _is_same(working, failing) else _material(failing, options, progress)
    one = choice.working(good, of_working)
    avoid = weighing.rules_of(one, good.report)
    other = choice.failing(bad, of_failing, avoid, one.session if bad is good else None)
    return weighing.compare(one, other, good.report, bad.report)


def _material(capture: str, options: Options, progress: Progress | None) -> "Material":
    from eiosniff.capture.rotation import expand
    from eiosniff.comparison.choice import Material
    from eiosniff.comparison.recorder import Recorder

    recorder = Recorder()
    report = analyze(expand([capture]), options, progress, recorder)
    if len(report.captures) > 1:
        raise EiosniffError(
            f"{capture} is {len(report.captures)} captures, and not the files of one", "name one of them"
        )
    return Material(report, recorder)


def _is_same(one: str, other: str) -> bool:
    """Whether two paths name one capture."""
    return one == other or (Path(one).exists() and Path(other).exists() and Path(one).samefile(other))
