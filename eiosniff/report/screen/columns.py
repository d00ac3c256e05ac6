"""The columns of the table of sessions: as many as fit, the most telling first."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from eiosniff.report.screen.look import cell
from eiosniff.report.screen.session_words import SessionRow

_NARROW = 100  # below, there is only one space between columns
_LONG_FORMS = 150  # from so many columns on there is room for the long form of transports and heartbeats


@dataclass(frozen=True, slots=True)
class Column:
    """`attribute` of a row, under one of two headings. It is `least` cells wide, `good` if all others have that, and up
    to `most` if there is more room. The lower its `rank`, the longer it stays where there is little."""

    attribute: str
    heading: str
    short: str
    least: int
    good: int
    most: int
    rank: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with the width that it got."""

    column: Column
    width: int

    def heading(self) -> str:
        """Its heading, as far as there is room."""
        column = self.column
        words = column.heading if len(column.heading) <= self.width else column.short
        return cell(words, self.width, right=column.right)

    def cell(self, row: SessionRow) -> str:
        """Its cell of a row."""
        text = getattr(row, self.column.attribute)
        if self.column is _STATE and len(text) > self.width:
            text = text.removeprefix("closed ")
        return cell(text, self.width, right=self.column.right)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns side by side, with a gap between them."""

    columns: Sequence[Placed]
    gap: str

    def headings(self) -> str:
        """The line above the rows."""
        return self.gap.join(each.heading() for each in self.columns)

    def line(self, row: SessionRow) -> str:
        """A row."""
        return self.gap.join(each.cell(row) for each in self.columns)

    def left_out(self, row: SessionRow) -> str:
        """What the columns do not show of a session, or not whole, in words."""
        shown = {
            each.column.attribute
            for each in self.columns
            if cell_len(getattr(row, each.column.attribute)) <= each.width
        }
        words = []
        for attribute, name in _NAMED.items():
            value = getattr(row, attribute)
            if attribute not in shown and value not in ("", "-"):
                words.append(f"{name} {value}".strip())
        return ", ".join(words)


_STATE = Column("state", "state", "state", 15, 19, 40, 0)
_COLUMNS = (
    Column("id", "id", "id", 2, 8, 8, 1),
    Column("client", "client", "client", 9, 21, 47, 1),
    Column("client_library", "client's library", "library", 8, 17, 40, 3),
    Column("server", "server", "server", 9, 21, 47, 8),
    Column("server_library", "server's library", "library", 8, 17, 32, 9),
    Column("revisions", "EIO/SIO", "rev", 3, 7, 7, 4),
    Column("via", "via", "via", 4, 4, 4, 3),
    Column("transports", "transports", "transports", 10, 17, 17, 3),
    Column("beat", "heartbeat", "heartbeat", 9, 16, 16, 2),
    Column("beats", "heartbeat", "heartbeat", 20, 36, 36, 2),
    Column("ack", "ack", "ack", 7, 7, 7, 6, right=True),
    Column("packets", "packets", "packets", 7, 9, 9, 7, right=True),
    Column("age", "age", "age", 7, 10, 10, 5, right=True),
    _STATE,
    Column("rules", "what is wrong", "what is wrong", 13, 24, 60, 10),
    Column("sid", "session id", "session id", 20, 24, 24, 11),
)
# Columns up to this rank are there even if they are cut.
_ESSENTIAL = 4
# These change with each second: they are as wide as they will ever be as soon as they are wider than their headings.
_STEADY = frozenset({"beat", "beats"})
# The words for what a line about one session says beside its columns.
_NAMED = {
    "client_library": "library", "server": "server", "server_library": "", "revisions": "EIO/SIO", "transports": "",
    "ack": "ack", "packets": "packets", "age": "age", "rules": "",
}  # fmt: skip


def table(rows: Sequence[SessionRow], width: int) -> Table:
    """The columns that fit into so many cells, for these rows, in their order."""
    gap = 1 if width < _NARROW else 2
    others: tuple[str, ...] = ("via", "beat") if width >= _LONG_FORMS else ("transports", "beats")
    if not any(row.rules for row in rows):
        others = (*others, "rules")
    columns = [column for column in _COLUMNS if column.attribute not in others]
    wanted = {column.attribute: _wanted(column, rows) for column in columns}
    chosen: list[Column] = []
    room = width + gap
    reserved = 0  # what the columns that matter most would like to have
    for column in sorted(columns, key=lambda column: column.rank):
        if column.least + gap > room - (reserved if column.rank > _ESSENTIAL else 0):
            break
        chosen.append(column)
        room -= column.least + gap
        reserved += max(0, min(wanted[column.attribute], column.good) - column.least)
    widths = {column.attribute: column.least for column in chosen}
    for limit in ("good", "most"):
        for column in sorted(chosen, key=lambda column: column.rank if column is not _STATE else 2.5):
            name = column.attribute
            more = max(0, min(room, min(wanted[name], getattr(column, limit)) - widths[name]))
            widths[name] += more
            room -= more
    return Table([Placed(column, widths[column.attribute]) for column in _COLUMNS if column in chosen], " " * gap)


def _wanted(column: Column, rows: Sequence[SessionRow]) -> int:
    """How wide a column would be if there were no limit."""
    widest = max((cell_len(getattr(row, column.attribute)) for row in rows), default=0)
    if column.attribute in _STEADY and widest > column.least:
        return column.most
    return max(widest, len(column.heading))
