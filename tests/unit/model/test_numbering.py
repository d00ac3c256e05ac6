"""What the numbers of the decoders stand for."""

import pytest

from eiosniff.model.numbering import Entries, Parts, Place, where


@pytest.fixture
def parts() -> Parts:
    made = Parts()
    for file, before in (("d/cap0", 0), ("d/cap1", 3), ("d/cap2", 3), ("d/cap3", 10)):  # cap1 is empty
        made.add(file, before)
    return made


@pytest.mark.parametrize(
    ("number", "place"),
    [(1, Place("d/cap0", 1)), (3, Place("d/cap0", 3)), (4, Place("d/cap2", 1)), (10, Place("d/cap2", 7)),
     (11, Place("d/cap3", 1)), (99, Place("d/cap3", 89))],
)  # fmt: skip
def test_packets_are_numbered_by_file(parts: Parts, number: int, place: Place) -> None:
    assert parts.place(number) == place


def test_entries_of_a_har() -> None:
    entries = Entries("page.har")
    assert [entries.add(7), entries.add(2, 5)] == [1, 2]
    assert [entries.place(number) for number in (1, 2)] == [Place("page.har", 7), Place("page.har", 2, 5)]
    assert entries.place(3) == entries.place(0) == Place("page.har", 0)


def test_a_person_is_told_what_to_look_for(parts: Parts) -> None:
    assert where(None, 34) == "packet 34"
    assert where(parts, 5) == "packet 2 of cap2"
    entries = Entries("page.har")
    assert where(entries, entries.add(12, 5)) == "entry 12.5"
