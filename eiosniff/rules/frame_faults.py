"""Which fault the frames of a side have. The first violation counts: what follows it may be only its consequence."""

from dataclasses import dataclass
from enum import Enum

from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind


class FrameFault(Enum):
    """What is wrong with frames."""

    MASK = "mask"
    RESERVED_BITS = "reserved bits"
    UTF8 = "UTF-8"
    PROTOCOL = "protocol"


_FAULTS = {
    AnomalyKind.WS_WRONG_MASK: FrameFault.MASK,
    AnomalyKind.WS_RESERVED_BITS: FrameFault.RESERVED_BITS,
    AnomalyKind.WS_BAD_UTF8: FrameFault.UTF8,
    AnomalyKind.WS_RESERVED_OPCODE: FrameFault.PROTOCOL,
    AnomalyKind.WS_BAD_LENGTH: FrameFault.PROTOCOL,
    AnomalyKind.WS_BAD_CONTROL: FrameFault.PROTOCOL,
    AnomalyKind.WS_BAD_CONTINUATION: FrameFault.PROTOCOL,
    AnomalyKind.WS_BAD_CLOSE: FrameFault.PROTOCOL,
    AnomalyKind.WS_BAD_DEFLATE: FrameFault.PROTOCOL,
}


@dataclass(frozen=True, slots=True)
class Faulty:
    """The faulty frames of a side: the anomalies of the kind that came first, of which there may be more."""

    side: Side
    anomalies: list[Anomaly]


def faulty_frames(session: Session, fault: FrameFault) -> list[Faulty]:
    """The sides whose frames have this fault."""
    early = session.attempt.anomalies if session.attempt is not None else ()
    if not (session.anomalies or early) or session.gaps:
        return []
    known = dict.fromkeys((*early, *session.anomalies))
    found = []
    for side in SIDES:
        of_side = [anomaly for anomaly in known if anomaly.side is side and anomaly.kind in _FAULTS]
        if of_side and _fault(of_side) is fault:
            first = of_side[0].kind if fault is not FrameFault.PROTOCOL else None
            found.append(Faulty(side, [anomaly for anomaly in of_side if first in (None, anomaly.kind)]))
    return found


def _fault(anomalies: list[Anomaly]) -> FrameFault:
    """One violation in the first faulty frame is a mistake in this; several are no frame at all."""
    first = anomalies[0]
    faults = {_FAULTS[anomaly.kind] for anomaly in anomalies if anomaly.place == first.place}
    if faults == {FrameFault.MASK, FrameFault.UTF8}:
        return FrameFault.MASK
    return faults.pop() if len(faults) == 1 else FrameFault.PROTOCOL
