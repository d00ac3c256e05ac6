"""Work in a copy of the process."""

import os
import sys
import time

import pytest

from eiosniff.live.copies import Copy, CopyFailedError


def finish(copy: Copy) -> bytes:
    while (result := copy.take()) is None:
        pass
    return result


def test_the_result_comes_through_a_pipe_however_large() -> None:
    assert finish(Copy(lambda: b"x" * 3_000_000)) == b"x" * 3_000_000
    assert finish(Copy(lambda: b"")) == b""


def test_what_the_copy_does_leaves_this_process_as_it_is() -> None:
    names = ["here"]

    def work() -> bytes:
        names.append("there")
        return repr(names).encode()

    assert finish(Copy(work)) == b"['here', 'there']"
    assert names == ["here"]


def test_a_failure_says_what_and_where() -> None:
    def work() -> bytes:
        raise ValueError("no such thing")

    with pytest.raises(CopyFailedError, match=r"^ValueError in test_copies.py:\d+: no such thing; please report it$"):
        finish(Copy(work))


def test_one_that_is_killed_says_so() -> None:
    with pytest.raises(CopyFailedError, match="it was killed; perhaps there was too little memory"):
        finish(Copy(lambda: os.kill(os.getpid(), 9) or b""))


def test_one_that_does_not_end_is_ended() -> None:
    with pytest.raises(CopyFailedError, match=r"^it took too long$"):
        finish(Copy(lambda: time.sleep(60) or b"", longest_s=0.05))


def test_what_it_prints_is_not_among_the_output(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> bytes:
        print("x" * 100_000)
        print("y", file=sys.stderr)
        return b"done"

    assert finish(Copy(work)) == b"done"
    assert capfd.readouterr() == ("", "")


def test_work_cannot_end_the_program() -> None:
    with pytest.raises(CopyFailedError, match=r"^SystemExit in test_copies.py:\d+: bye; please report it$"):
        finish(Copy(lambda: sys.exit("bye")))


def test_without_room_for_a_process_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = os.listdir("/dev/fd")  # noqa: PTH208  (its entries are no files)
    monkeypatch.setattr(os, "fork", full)
    with pytest.raises(BlockingIOError):
        Copy(bytes)
    assert os.listdir("/dev/fd") == before  # noqa: PTH208


def test_it_can_be_stopped() -> None:
    reading, writing = os.pipe()
    copy = Copy(lambda: os.read(reading, 1))  # nobody writes there
    copy.close()
    copy.close()
    assert copy.fileno() == -1
    os.close(reading)
    os.close(writing)
