"""The lives of a client at a server, one after the other: what a reconnect loop is made of."""

from typing import Final

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.peers import Client, Life, Loop
from eiosniff.model.provenance import CLIENT, PacketRef

# What is worth recording as a chain; rules judge by the figures in it. A client that comes back minutes later, or
# after minutes of service, does not loop.
LONGEST_LIFE_NS: Final = 120_000_000_000
LONGEST_PAUSE_NS: Final = 60_000_000_000
LOOPS_KEPT: Final = 4
GOING_AWAY: Final = 1001  # RFC 6455, section 7.4.1: a browser left the page


class LifeTracker:
    """Follows one client: each new attempt ends the life before it, if that is over by then."""

    __slots__ = ("_client", "_current", "_ended", "_last", "_loop", "_past")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._current: Attempt | None = None
        self._past: Life | None = None  # that of the current attempt, if its session was let go
        self._ended = False  # whether that life had an end, and was not only silent
        self._last: Life | None = None
        self._loop: Loop | None = None

    def begin(self, attempt: Attempt, busy: bool) -> None:
        """A new attempt. `busy`: the session of the attempt before it still has something under way."""
        life = self._past or self._life(self._current, busy)
        if life is None or (self._last and life.start.ts_ns - self._last.end.ts_ns > LONGEST_PAUSE_NS):
            self._break()
        if life is not None:
            self._extend(life)
            if attempt.request.place.ts_ns - life.end.ts_ns > LONGEST_PAUSE_NS:
                self._break()
        self._current = attempt
        self._past = None

    def retire(self, attempt: Attempt) -> None:
        """The session of an attempt is over, and is let go: keep what its life was, if it is the last one."""
        if attempt is self._current and attempt.session is not None:
            self._past = self._life(attempt, busy=False)
            self._ended = attempt.session.closing is not None

    def close(self) -> None:
        """Nothing more will come; the last life counts if it ended."""
        if self._past is not None:
            life = self._past if self._ended else None
        else:
            waits = self._current is not None and self._current.waits
            life = None if waits else self._life(self._current, busy=True)
        if life is not None:
            self._extend(life)
        self._break()

    @staticmethod
    def _life(attempt: Attempt | None, busy: bool) -> Life | None:
        """The life of an attempt that is over; None while it lasts."""
        if attempt is None:
            return None
        start, session = attempt.request.place, attempt.session
        if session is None:
            end = attempt.answer if attempt.outcome is Outcome.REFUSED else attempt.ended or attempt.answer
            return Life(start, end or start, orderly=False) if attempt.outcome is not Outcome.PENDING else None
        closing = session.closing
        if closing is not None:
            leaves = closing.after_goodbye or closing.code == GOING_AWAY
            said_goodbye = leaves and closing.side is CLIENT and not session.refusals
            return Life(start, closing.place, orderly=said_goodbye)
        return None if busy else Life(start, session.last, orderly=False)

    def _extend(self, life: Life) -> None:
        if life.orderly or life.end.ts_ns - life.start.ts_ns > LONGEST_LIFE_NS:
            self._break()
            return
        loop = self._loop = self._loop or Loop()
        if self._last is not None:
            loop.pauses.add(_pause(self._last.end, life.start))
        loop.lives.add(life, life.start.ts_ns)
        loop.lengths.add(life.end.ts_ns - life.start.ts_ns)
        self._last = life

    def _break(self) -> None:
        loops = self._client.loops
        if self._loop is not None and self._loop.lives.count > 1:
            loops.append(self._loop)
            loops.sort(key=lambda loop: -loop.lives.count)
            del loops[LOOPS_KEPT:]
        self._loop = None
        self._last = None


def _pause(end: PacketRef, start: PacketRef) -> int:
    return max(0, start.ts_ns - end.ts_ns)
