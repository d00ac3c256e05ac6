"""How far two clocks are apart, and which of two places is nearer to the clients, by what was seen at both.

A packet of a client passes the place near it first, one of a server last. By clocks that are `ahead` apart it seems to
take its time plus, or minus, that; the quickest of each direction bound it.
"""

from typing import Final

from eiosniff.model.crossing import Clocks

_LEAST_OF_A_HALF: Final = 4  # packets each way, and how long it is (ns): else clocks are taken to run alike
_LEAST_NS: Final = 60_000_000_000
_SURE_NS: Final = 1_000_000  # a drift that is smaller than this, over all of the capture, may be chance

# The instants of a packet near the client, and how much later it was near the server (ns, by the clock of each).
Seen = list[tuple[int, int]]


def is_nearer(up: Seen, down: Seen) -> bool | None:
    """Whether the first place is the one nearer to the clients; None if that cannot be told. `up` are packets of
    clients, `down` those of servers, as if it was."""
    if not up or not down:
        return None
    quickest = min(passed for _, passed in up) - max(passed for _, passed in down)
    slowest = max(passed for _, passed in up) - min(passed for _, passed in down)
    # There and back again takes some time: `quickest` if it is so, and `-slowest` if it is the other way round.
    return None if quickest == -slowest else quickest >= -slowest


def align(up: Seen, down: Seen) -> Clocks:
    """The clocks of two places, the first of which is nearer to the clients. One of the lists may be empty."""
    whole = _estimate(up, down)
    if whole.unsure_ns is None:
        return whole
    instants = [instant for instant, _ in (*up, *down)]
    begin, end = min(instants), max(instants)
    middle = (begin + end) // 2
    halves: list[Clocks] = []
    for first, last in ((begin, middle), (middle, end + 1)):
        half_up = [each for each in up if first <= each[0] < last]
        half_down = [each for each in down if first <= each[0] < last]
        if min(len(half_up), len(half_down)) < _LEAST_OF_A_HALF:
            return whole
        halves.append(_estimate(half_up, half_down))
    return _drifting(whole, halves, begin, end)


def _drifting(whole: Clocks, halves: list[Clocks], begin: int, end: int) -> Clocks:
    """The same with the drift that the two halves show."""
    one, other = halves
    grown = other.ahead_ns - one.ahead_ns
    unsure = (one.unsure_ns or 0) + (other.unsure_ns or 0)
    if end - begin < _LEAST_NS or abs(grown) < unsure + _SURE_NS:
        return whole
    clocks = Clocks(one.ahead_ns, max(one.unsure_ns or 0, other.unsure_ns or 0), whole.packets)
    clocks.drift_ppb = grown * 2_000_000_000 // (end - begin)
    clocks.since_ns = begin + (end - begin) // 4
    return clocks


def _estimate(up: Seen, down: Seen) -> Clocks:
    most = min((passed for _, passed in up), default=None)
    least = max((passed for _, passed in down), default=None)
    count = len(up) + len(down)
    if most is None or least is None:
        known = most if most is not None else least
        return Clocks(known or 0, None, count)
    # An answer that seems to come before its request (`most` below `least`): instants were rounded, as in a HAR.
    clocks = Clocks((most + least) // 2, abs(most - least) // 2, count)
    clocks.is_one = most == least
    return clocks
