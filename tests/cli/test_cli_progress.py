import io
import sys
import time

import pytest

from eiosniff.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nobody_is_shown_a_bar_who_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress(wanted=False) as watch:
        assert watch is None
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress(wanted=True) as watch:
        assert watch is None


def test_the_bar_comes_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, now = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    with progress(wanted=True) as watch:
        assert watch is not None
        watch(1_000, 4_000)
        assert terminal.getvalue() == ""
    assert terminal.getvalue() == ""
    with progress(wanted=True) as watch:
        assert watch is not None
        now[0] = 1.0
        watch(2_000, 4_000)
        watch(3_000, None)
    assert "reading" in terminal.getvalue()
