"""Settings for all tests: hypothesis profiles, and skips that are failures where everything is installed."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from eiosniff.decode import stack

# Always the same examples: a change that is not at fault must not fail by chance. `make fuzz` looks for new ones.
settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("EIOSNIFF_HYPOTHESIS", "fast"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compiled classes cannot be subclassed, and compiled methods and constants not be replaced, by tests."""
    if stack.__file__.endswith(".py"):
        return
    for item in items:
        if item.get_closest_marker("interpreted"):
            item.add_marker(pytest.mark.skip(reason="the decoders are compiled: this needs them as Python"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, "pytest.TestReport", None]:
    """With EIOSNIFF_NO_SKIP (continuous integration), a skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's result object
    if report.skipped and os.environ.get("EIOSNIFF_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure here: {report.longrepr}"
