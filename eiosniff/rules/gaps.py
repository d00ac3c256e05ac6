"""What a capture lacks of a session: for rules that would blame a peer for what was only not captured."""

from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Session


def lacks(session: Session, first: PacketRef, last: PacketRef | None = None) -> bool:
    """Whether something that was said from one packet to another (or to the end) may be missing from the capture."""
    if not session.gaps:
        return False
    spans = zip(session.gap_starts, session.gaps, strict=True)
    return any(first.number <= shown and (last is None or start <= last.number) for start, shown in spans)
