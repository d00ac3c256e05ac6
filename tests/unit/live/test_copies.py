"""Work in a copy of the process."""

import os

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

    with pytest.raises(CopyFailedError, match=r"^ValueError in test_copies.py:\d+: no such thing$"):
        finish(Copy(work))


def test_one_that_is_killed_says_so() -> None:
    with pytest.raises(CopyFailedError, match="it ended with status 9"):
        finish(Copy(lambda: os.kill(os.getpid(), 9) or b""))


def test_it_can_be_stopped() -> None:
    reading, writing = os.pipe()
    copy = Copy(lambda: os.read(reading, 1))  # nobody writes there
    copy.close()
    copy.close()
    assert copy.fileno() == -1
    os.close(reading)
    os.close(writing)
