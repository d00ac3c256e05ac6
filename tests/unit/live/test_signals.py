"""Signals while a capture begins, and while it runs."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from eiosniff.live.signals import Signals, unwinding


@pytest.fixture(autouse=True)
def _handlers_as_they_were() -> Iterator[None]:
    numbers = signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_stops_it_while_it_begins_unwinds_it(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), unwinding():
        os.kill(os.getpid(), number)
    with unwinding(), Signals(pytest.fail) as signals:
        os.kill(os.getpid(), number)
        assert signals.stopping


def test_handlers_are_given_back() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(KeyboardInterrupt), unwinding():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
        raise KeyboardInterrupt
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_nohup_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with unwinding(), Signals(pytest.fail) as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not signals.stopping
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_end_of_a_child_can_be_waited_for_where_that_was_switched_off() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with unwinding():
        child = os.fork()
        if not child:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
