"""Where the packets of a report are: in which file, under which number, and how Wireshark shows them."""

from collections.abc import Iterable
from typing import TypeAlias

from eiosniff.model.finding import Finding
from eiosniff.model.numbering import Numbering, Place
from eiosniff.model.summary import CaptureSummary
from eiosniff.report.figures import display_filter

# What has numbers: a finding, or a capture, by its name.
Source: TypeAlias = Finding | str


class Places:
    """Turns the numbers of the decoders into those that a person or a program can look up."""

    def __init__(self, captures: Iterable[CaptureSummary]) -> None:
        self._numberings = {each.file: each.numbering for each in captures if each.numbering is not None}

    def of(self, source: Source) -> Numbering | None:
        """The numbering of something; None where its numbers are those of the packets of its capture."""
        if isinstance(source, str):
            return self._numberings.get(source)
        return source.numbering or self._numberings.get(source.capture)

    def place(self, source: Source, number: int) -> Place:
        """Where a packet is; without a number (0) in the first file."""
        numbering = self.of(source)
        if numbering is None:
            return Place(source if isinstance(source, str) else source.capture, number)
        return numbering.place(number) if number else Place(numbering.files[0], 0)

    def unit(self, source: Source) -> str:
        """What is numbered: `packet` or `entry`."""
        numbering = self.of(source)
        return "packet" if numbering is None else numbering.unit

    def has_parts(self, source: Source) -> bool:
        """Whether a number alone does not tell which file it is of."""
        numbering = self.of(source)
        return numbering is not None and len(numbering.files) > 1

    def main_file(self, finding: Finding) -> str:
        """The file to open first: that of the first packet which proves the finding."""
        first = next((item.packet for item in finding.evidence if item.packet), 0)
        return self.place(finding, first).file

    def filters(self, finding: Finding, most: int | None = None) -> dict[str, str]:
        """Wireshark's display filter for the evidence (the first `most` pieces), by file; none for what it cannot
        open."""
        if self.unit(finding) != "packet":
            return {}
        by_file: dict[str, list[int]] = {}
        for item in finding.evidence[:most]:
            if item.packet > 0:
                place = self.place(finding, item.packet)
                by_file.setdefault(place.file, []).append(place.number)
        return {file: display_filter(numbers) for file, numbers in by_file.items()}
