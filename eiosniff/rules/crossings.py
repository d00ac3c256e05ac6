"""What rules on sessions that two captures show have in common: words for the place between, and evidence."""

from collections.abc import Iterable

from eiosniff.model.crossing import Crossing, Passage
from eiosniff.model.finding import Evidence
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import in_ms


def between(crossing: Crossing) -> str:
    """What is between the two places."""
    if crossing.is_through_proxy:
        return f"the proxy at {crossing.client.server.endpoint}"
    return "the network between the two captures"


def near_client(place: PacketRef, side: Side | None, text: str) -> Evidence:
    """A packet of the capture near the client."""
    return evidence(place, side, text)


def near_server(crossing: Crossing, place: PacketRef, side: Side | None, text: str) -> Evidence:
    """A packet of the capture near the server."""
    return evidence(crossing.near_server(place), side, text)


def both_ends(passages: Iterable[Passage]) -> list[Evidence]:
    """Packets where they left the one place and where they came to the other."""
    proof = []
    for passage in passages:
        if passage.sent is not None:
            proof.append(evidence(passage.sent, passage.side, f"sends {passage.label}"))
        if passage.arrived is not None:
            later = f", {in_ms(passage.delay_ns)} later" if passage.sent is not None else ""
            proof.append(evidence(passage.arrived, passage.side, f"{passage.label} arrives{later}"))
    return proof


def from_to(side: Side) -> str:
    """Which way."""
    return "the client to the server" if side is Side.CLIENT else "the server to the client"
