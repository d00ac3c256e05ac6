"""What dumpcap and tcpdump say while they capture: why they end, and how many packets were dropped."""

import re
from enum import Enum
from typing import Final, NamedTuple

# What is kept of what a program says: so many characters of a line, so many lines (dumpcap explains at length).
LINE_LIMIT: Final = 300
LINES_LIMIT: Final = 20

# What a tcpdump says that has begun to capture, and now takes signals.
_LISTENING: Final = re.compile(r"(?:^|: )listening on ")
# "tcpdump: 8 packets captured, ..., 0 packets dropped by kernel" when it is asked, and a line for each at its end. The
# interface counts what never came to the kernel.
_DROPPED: Final = re.compile(r"(\d{1,18}) packets? dropped by (kernel|interface)")
_NO_TROUBLE: Final = re.compile(
    r"listening on |data link type |\d+ packets? captured|WARNING: |verbose output ", re.IGNORECASE
)

_BAD_FILTER: Final = re.compile(r"Invalid capture filter|isn't a valid capture filter")
_WHY_BAD: Final = re.compile(r"isn't a valid capture filter \((.*)\)\.")


class Reason(Enum):
    """Why a program does not capture, or no longer."""

    RIGHTS = "rights"
    GONE = "gone"
    DOWN = "down"
    FILTER = "filter"
    OTHER = "other"


# By which words of a program it is known, in this order.
_SIGNS: Final = {
    Reason.RIGHTS: re.compile(r"permission|not permitted", re.IGNORECASE),
    Reason.GONE: re.compile(
        r"no such device|no device named|no longer attached|disappeared|doesn't exist", re.IGNORECASE
    ),
    Reason.DOWN: re.compile(r"is not up|went down|is down", re.IGNORECASE),
}


class Ending(NamedTuple):
    """Why a program ended, and how it says that: one printable line, empty where it says nothing."""

    reason: Reason
    text: str


class Words:
    """What a program says on its standard error, of which only a little is kept.

    `listening` says that tcpdump takes signals by now, `dropped` how many packets it says were dropped.
    """

    def __init__(self, program: str, interface: str, expression: str) -> None:
        self._program = program
        self._interface = interface
        self._expression = expression
        self._line = ""
        self._trouble: list[str] = []  # the last line that begins with the program's name, and what follows
        self._dropped: dict[str, int] = {}
        self.listening = False

    @property
    def dropped(self) -> int | None:
        """How many packets were dropped by the kernel and the interface; None as long as the program did not say."""
        return sum(self._dropped.values()) if self._dropped else None

    def hear(self, data: bytes) -> None:
        """Take in what the program wrote. Lines may come in pieces."""
        *lines, rest = (self._line + data.decode("utf-8", "replace")).replace("\r", "\n").split("\n")
        for line in lines:
            self._hear_line(line[:LINE_LIMIT])
        self._line = rest[:LINE_LIMIT]

    def _hear_line(self, line: str) -> None:
        for count, by in _DROPPED.findall(line):
            self._dropped[by] = int(count)
        if _LISTENING.search(line):
            self.listening = True
        told = line.startswith(f"{self._program}: ")
        if told and not _NO_TROUBLE.search(line):
            self._trouble = [line]
        elif not told and self._trouble and len(self._trouble) < LINES_LIMIT:
            self._trouble.append(line)

    def ending(self) -> Ending:
        """Why the program ended, by what it said."""
        text = "\n".join(self._trouble)
        told = _printable(self._trouble[0].removeprefix(f"{self._program}: ")) if self._trouble else ""
        if _BAD_FILTER.search(text):
            why = _WHY_BAD.search(text)
            return Ending(Reason.FILTER, _printable(why[1]) if why else told)
        about_device = told.startswith((f"{self._interface}: ", "pcap_loop: "))
        if self._program == "tcpdump" and self._expression and told and not about_device and "Couldn't" not in told:
            return Ending(Reason.FILTER, told)
        for reason, sign in _SIGNS.items():
            if sign.search(text):
                return Ending(reason, told)
        return Ending(Reason.OTHER, told.removeprefix(f"{self._interface}: "))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
