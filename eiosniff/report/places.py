"""Where the packets of a report are: in which file, under which number, and how Wireshark shows them."""

from collections.abc import Iterable

from eiosniff.model.finding import Finding
from eiosniff.model.numbering import Numbering, Place
from eiosniff.model.summary import CaptureSummary
from eiosniff.report.figures import display_filter


class Places:
    """Turns the numbers of the decoders into those that a person or a program can look up."""

    def __init__(self, captures: Iterable[CaptureSummary]) -> None:
        self._numberings = {each.file: each.numbering for each in captures if each.numbering is not None}

    def of(self, capture: str) -> Numbering | None:
        """The numbering of a capture; None where its numbers are those of its packets."""
        return self._numberings.get(capture)

    def place(self, capture: str, number: int) -> Place:
        """Where a packet of a capture is; without a number (0) in its first file."""
        numbering = self.of(capture)
        if numbering is None:
            return Place(capture, number)
        return numbering.place(number) if number else Place(numbering.files[0], 0)

    def unit(self, capture: str) -> str:
        """What is numbered in it: `packet` or `entry`."""
        numbering = self.of(capture)
        return "packet" if numbering is None else numbering.unit

    def has_parts(self, capture: str) -> bool:
        """Whether a number alone does not tell which file it is of."""
        numbering = self.of(capture)
        return numbering is not None and len(numbering.files) > 1

    def main_file(self, finding: Finding) -> str:
        """The file to open first: that of the first packet which proves the finding."""
        first = next((item.packet for item in finding.evidence if item.packet), 0)
        return self.place(finding.capture, first).file

    def filters(self, finding: Finding, most: int | None = None) -> dict[str, str]:
        """Wireshark's display filter for the evidence (the first `most` pieces), by file; none for what it cannot
        open."""
        if self.unit(finding.capture) != "packet":
            return {}
        by_file: dict[str, list[int]] = {}
        for item in finding.evidence[:most]:
            if item.packet > 0:
                place = self.place(finding.capture, item.packet)
                by_file.setdefault(place.file, []).append(place.number)
        return {file: display_filter(numbers) for file, numbers in by_file.items()}
