"""What it costs a session to stay on polling, in figures and words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms

# The thresholds of the rules about sessions that stay on polling, all of which a user may set.
LIMITS: Final = {
    "lifetime_ms": 30_000,  # before that a session may be on its way to the upgrade, and costs little
    "polls": 20,
    "minute_polls": 60,  # with `header_bytes`: so many hurt a server and a battery
    "header_bytes": 8,  # for each byte of payload
}
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """`polls` were answered up to `last`, `lived_ns` after the session was opened; `headers` are the bytes of headers
    for each byte of payload, `noops` the packets that say nothing."""

    polls: int
    last: PacketRef
    lived_ns: int
    headers: float
    noops: int

    @property
    def a_minute(self) -> float:
        """Polls a minute; of a session shorter than a second, as if it had lived that long."""
        return self.polls * _SECONDS * NS_PER_S / max(self.lived_ns, NS_PER_S)

    def is_long(self, limits: Mapping[str, float]) -> bool:
        """Whether the session lived long enough to have moved on."""
        return self.lived_ns >= limits["lifetime_ms"] * NS_PER_MS

    def has_many(self, limits: Mapping[str, float]) -> bool:
        """Whether there were more polls than a session needs before it moves on."""
        return self.polls > limits["polls"]

    def hurts(self, limits: Mapping[str, float]) -> bool:
        """Whether the capture shows that polling is dear here: many requests, and little in them."""
        dear = self.a_minute >= limits["minute_polls"] and self.headers >= limits["header_bytes"]
        return self.has_many(limits) and dear

    def spins(self, limits: Mapping[str, float]) -> bool:
        """Whether the server answers poll after poll at once, with nothing in it."""
        return self.has_many(limits) and self.noops > limits["polls"] and 2 * self.noops > self.polls

    def __str__(self) -> str:
        pace = f" ({self.a_minute:,.0f} a minute)" if self.lived_ns >= NS_PER_S else ""
        polls = f"{self.polls} polls" if self.polls != 1 else "1 poll"
        return f"{polls} in {in_ms(self.lived_ns)}{pace}, {self.headers:.0f} bytes of headers for each byte of payload"


def cost_of(session: Session) -> Cost:
    """What polling has cost a session."""
    last, served = session.last, session.last_from[Side.SERVER] or session.opened
    if last.ts_ns - served.ts_ns > _lapse_ns(session):
        last = served  # the client was asleep: what it sends afterwards is not the session's life
    return Cost(
        session.polls,
        last,
        last.ts_ns - session.opened.ts_ns,
        sum(session.head_bytes) / max(sum(session.body_bytes), 1),
        session.engineio_counts[Side.SERVER].get("noop", 0),
    )


def _lapse_ns(session: Session) -> int:
    """How long a session lives without a word of the server: up to its next ping, and until that has timed out."""
    handshake = session.handshake
    times = (handshake.ping_interval_ms, handshake.ping_timeout_ms) if handshake is not None else ()
    return sum(time or 0 for time in times) * NS_PER_MS
