"""What a capture lacks of a session: for rules that would blame a peer for what was only not captured."""

from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Session


def shown_between(session: Session, first: int, last: int | None) -> int | None:
    """The first packet that shows that bytes are missing from the capture between two others (or up to the end)."""
    if not session.gaps:
        return None
    spans = zip(session.gap_starts, session.gaps, strict=True)
    return next((shown for start, shown in spans if first <= shown and (last is None or start <= last)), None)


def lacks(session: Session, first: PacketRef, last: PacketRef | None = None) -> bool:
    """Whether something that was said from one packet to another (or to the end) may be missing from the capture."""
    return shown_between(session, first.number, last.number if last is not None else None) is not None
