"""A page of text on a rich console: labels in the margin, wrapped paragraphs, rows of columns.

rich's own tables pad every line with spaces to the full width and cannot begin beside a label; lines that are built
here end where their text ends, so that a report can be pasted anywhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from rich.cells import cell_len, chop_cells
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from eiosniff.report.sanitise import ELLIPSIS, clip

# Longer lines are hard to read, however wide the terminal is.
MAX_WIDTH = 120
_MIN_WIDTH = 40
_MIN_COLUMN = 12

GAP = "  "

# What stays on one line if it fits there: a word, or a part of a URL up to the `&` before its next parameter.
_PIECE = re.compile(r"(?:[^\s&]|&(?![\w%]{1,40}=))+&?\s*|&\s*|\s+")

Row: TypeAlias = Sequence[str] | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, whether it is aligned to the right, the least width, a style for its cells."""

    heading: str
    right: bool = False
    least: int = 0
    style: str = ""


class Page:
    """Writes lines to a console. Everything that is handed to it must be printable already."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = max(_MIN_WIDTH, min(console.width, MAX_WIDTH))

    def line(self, *parts: str | tuple[str, str] | Text) -> None:
        """One line, not wrapped; a part may be a text with a style."""
        text = Text.assemble(*parts)
        text.rstrip()
        self.console.print(text, soft_wrap=True)

    def paragraph(self, text: str | Text, *, lead: Text | str = "") -> None:
        """A wrapped paragraph; `lead` stands before its first line, the others are indented by as much."""
        first = Text.assemble(lead)
        depth = first.cell_len
        content = text if isinstance(text, Text) else Text(text)
        for wrapped in content.divide(_line_starts(content.plain, max(_MIN_COLUMN, self.width - depth))):
            self.line(first, wrapped)
            first = Text(" " * depth)

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Row],
        *,
        lead: Text | str = "",
        asides: Sequence[str] = (),
    ) -> None:
        """A table whose last column is wrapped; `lead` stands before its headings.

        A row that is a single text spans the table. `asides` has a remark for each row, aligned behind its last cell.
        """
        cells = [row for row in rows if not isinstance(row, Text)]
        widths = [
            max(column.least, cell_len(column.heading), *(cell_len(row[at]) for row in cells), 0)
            for at, column in enumerate(columns[:-1])
        ]
        first = Text.assemble(lead)
        headings = _join(columns, widths, [column.heading for column in columns[:-1]], styled=False)
        self.line(first, Text.assemble(headings, GAP, columns[-1].heading, style="dim"))
        room = self.width - first.cell_len - headings.cell_len - len(GAP)
        aside_end = min(
            room, max((cell_len(row[-1]) for row in cells), default=0) + len(GAP) + max(map(len, asides), default=0)
        )
        for at, row in enumerate(rows):
            if isinstance(row, Text):
                self.paragraph(row, lead=" " * max(0, first.cell_len - len(GAP)))
                continue
            start = Text.assemble(" " * first.cell_len, _join(columns, widths, row, styled=True), GAP)
            last = Text(row[-1], style=columns[-1].style)
            if asides and asides[at]:
                padding = aside_end - cell_len(row[-1]) - len(asides[at])
                last.append(f"{' ' * padding}{asides[at]}" if padding >= len(GAP) else f" ({asides[at]})", "dim")
            self.paragraph(last, lead=start)

    def side_by_side(self, cells: Sequence[tuple[str, int]], style: str = "") -> None:
        """A row of texts, each wrapped in a column of its own, of so many cells."""
        wrapped = [wrap(text, width) for text, width in cells]
        for at in range(max(map(len, wrapped))):
            line = Text(style=style)
            for (_, width), lines in zip(cells, wrapped, strict=True):
                part = lines[at] if at < len(lines) else ""
                line.append(part + " " * (width - cell_len(part)))
                line.append(GAP)
            self.line(line)


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most so many cells."""
    starts = [0, *_line_starts(text, width), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(starts)]


def _join(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str], *, styled: bool) -> Text:
    """All cells of a row but the last, padded to their widths."""
    joined = Text()
    for at, (column, width, cell) in enumerate(zip(columns, widths, row, strict=False)):
        padding = " " * (width - cell_len(cell))
        joined.append(GAP if at else "")
        joined.append(padding + cell if column.right else cell + padding, column.style if styled else "")
    return joined


def _line_starts(text: str, width: int) -> list[int]:
    """Where the lines of a paragraph begin, but the first one. rich's own wrapping would cut a URL in the middle of a
    session id, which people search for."""
    starts: list[int] = []
    used = 0
    for piece in _PIECE.finditer(text):
        word = piece[0].rstrip()
        if used and used + cell_len(word) > width:
            starts.append(piece.start())
            used = 0
        if cell_len(word) > width:
            at = piece.start()
            for part in chop_cells(word, width)[:-1]:
                at += len(part)
                starts.append(at)
            used = cell_len(text[at : piece.end()])
        else:
            used += cell_len(piece[0])
    return starts


def fit(text: str, width: int) -> str:
    """`text` cut to a number of terminal cells, with an ellipsis where something was cut."""
    if text.isascii():
        return clip(text, width)
    used = fitting = 0
    for at, char in enumerate(text):
        used += _most_cells(char)
        if used < width:
            fitting = at + 1
        elif used > width:
            return text[:fitting].rstrip() + ELLIPSIS
    return text


def _most_cells(char: str) -> int:
    """How many cells a character takes where it takes the most: not all terminals join skin tones and flags."""
    return 2 if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U0001f1e6" <= char <= "\U0001f1ff" else cell_len(char)


def paint(text: str, style: str) -> str:
    """`text` in a style, for a terminal."""
    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
