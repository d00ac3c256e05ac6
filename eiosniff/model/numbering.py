"""Which file, and which place in it, a packet number stands for.

Decoders number what they take from 1 on, in order of time. For one capture that is Wireshark's number. Where several
files are read as one, or the places of a source are no captured packets (the entries of a HAR), it is not: then a
`Numbering` tells what to show.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from pathlib import PurePath
from typing import NamedTuple, final


class Place(NamedTuple):
    """`number` is that of the captured packet in `file` (of the entry, in a HAR); `message` that of the WebSocket
    message of the entry, from 1 on, 0 where it is the entry itself (or a packet)."""

    file: str
    number: int
    message: int = 0

    @property
    def label(self) -> str:
        """The number for a column: `34`, or `12.5` for the fifth message of entry 12."""
        return f"{self.number}.{self.message}" if self.message else str(self.number)


class Numbering(ABC):
    """See the module."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What is numbered: `packet` (as Wireshark counts them, in the file of the place) or `entry`."""

    @property
    @abstractmethod
    def files(self) -> list[str]:
        """The files that places are in."""

    @abstractmethod
    def place(self, number: int) -> Place:
        """What a number of the decoders stands for."""


def where(numbering: Numbering | None, number: int) -> str:
    """A number of the decoders as a person finds it: `packet 34`, `packet 3 of cap_00002.pcap`, `entry 12.5`."""
    if numbering is None:
        return f"packet {number}"
    place = numbering.place(number)
    file = f" of {PurePath(place.file).name}" if len(numbering.files) > 1 else ""
    return f"{numbering.unit} {place.label}{file}"


@final
class Parts(Numbering):
    """Several files, read one after the other as one capture."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._before: list[int] = []  # packets in the files before

    def add(self, file: str, before: int) -> None:
        """The next file begins, after so many packets."""
        self._files.append(file)
        self._before.append(before)

    @property
    def unit(self) -> str:
        """See `Numbering`."""
        return "packet"

    @property
    def files(self) -> list[str]:
        """The files so far."""
        return self._files

    @property
    def before(self) -> int:
        """Packets in the files before the last one."""
        return self._before[-1] if self._before else 0

    def place(self, number: int) -> Place:
        """See `Numbering`."""
        at = max(0, bisect_right(self._before, number - 1) - 1)
        return Place(self._files[at], number - self._before[at])


@final
class Joined(Numbering):
    """Two captures: numbers of the second one begin behind `before`, and are its own beyond that.

    Each is given by its name and its numbering, if it has one.
    """

    def __init__(self, first: tuple[str, Numbering | None], second: tuple[str, Numbering | None], before: int) -> None:
        self._captures = first, second
        self._before = before

    @property
    def unit(self) -> str:
        """See `Numbering`: that of the first."""
        numbering = self._captures[0][1]
        return "packet" if numbering is None else numbering.unit

    @property
    def files(self) -> list[str]:
        """See `Numbering`."""
        return [
            file for name, numbering in self._captures for file in ([name] if numbering is None else numbering.files)
        ]

    def place(self, number: int) -> Place:
        """See `Numbering`."""
        second = number > self._before
        name, numbering = self._captures[1 if second else 0]
        number -= self._before if second else 0
        return Place(name, number) if numbering is None else numbering.place(number)


@final
class Entries(Numbering):
    """The entries of a HAR: what happens, in order of time, is numbered from 1 on."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._places: list[tuple[int, int]] = []

    @property
    def unit(self) -> str:
        """See `Numbering`."""
        return "entry"

    @property
    def files(self) -> list[str]:
        """See `Numbering`."""
        return [self._file]

    def add(self, entry: int, message: int = 0) -> int:
        """What happens next is (a message of) this entry; returns its number."""
        self._places.append((entry, message))
        return len(self._places)

    def place(self, number: int) -> Place:
        """See `Numbering`."""
        if not 0 < number <= len(self._places):
            return Place(self._file, 0)
        entry, message = self._places[number - 1]
        return Place(self._file, entry, message)
