"""Which packets of two places are the same: those of one side and transport, in the order of each place.

Content that comes once at both places tells for sure. What is between two of these is matched so that most packets have
a partner, and so that they are under way for as short as can be: pings, say, all look alike.
"""

from bisect import bisect_left
from typing import Final

from eiosniff.model.crossing import Path

# Packets on both sides of what is looked at in every way (their product); of more, each takes the next that fits.
_MOST: Final = 40_000
_AHEAD: Final = 64
# The cost of a match is how long it is under way (us, up to this); one more match is worth more than any cost.
_MOST_COST: Final = 1 << 40
_MATCH: Final = 1 << 56

Pairs = list[tuple[int, int]]


def anchors(sent: Path, arrived: Path) -> Pairs:
    """The packets (by their places in the paths) whose content comes once in each path, as far as they are in order."""
    once_sent, once_arrived = _once(sent), _once(arrived)
    common = [(at, once_arrived[digest]) for digest, at in once_sent.items() if digest in once_arrived]
    common.sort()
    return _rising(common)


def match(sent: Path, arrived: Path, left_at: list[int], came_at: list[int], slack_ns: int) -> Pairs:
    """The packets that are the same, in order. `left_at` and `came_at` are their instants by one clock; none arrives
    more than `slack_ns` before it was sent."""
    if sent.digests == arrived.digests:
        return [(at, at) for at in range(len(left_at))]
    pairs: Pairs = []
    fixed = [pair for pair in anchors(sent, arrived) if came_at[pair[1]] >= left_at[pair[0]] - slack_ns]
    begin, first = 0, 0
    for at, other in [*fixed, (len(left_at), len(came_at))]:
        spans = (begin, at, first, other)
        if (at - begin) * (other - first) <= _MOST:
            pairs += _best(sent, arrived, left_at, came_at, slack_ns, spans)
        else:
            pairs += _next_fitting(sent, arrived, left_at, came_at, slack_ns, spans)
        if at < len(left_at):
            pairs.append((at, other))
        begin, first = at + 1, other + 1
    return pairs


def _once(path: Path) -> dict[int, int]:
    """Where content is that comes once, by its digest."""
    seen: dict[int, int] = {}
    for at, digest in enumerate(path.digests):
        seen[digest] = -1 if digest in seen else at
    return {digest: at for digest, at in seen.items() if at >= 0}


def _rising(pairs: Pairs) -> Pairs:
    """The longest run of pairs that is in order at both places."""
    ends: list[int] = []  # the lowest end of a run of each length
    runs: list[int] = []  # by pair: how long the longest run is that it ends
    for _, other in pairs:
        length = bisect_left(ends, other)
        if length == len(ends):
            ends.append(other)
        else:
            ends[length] = other
        runs.append(length)
    kept: Pairs = []
    wanted, below = len(ends) - 1, -1
    for at in range(len(pairs) - 1, -1, -1):
        if runs[at] == wanted and (below < 0 or pairs[at][1] < below):
            kept.append(pairs[at])
            below = pairs[at][1]
            wanted -= 1
    kept.reverse()
    return kept


_Spans = tuple[int, int, int, int]


def _best(sent: Path, arrived: Path, left_at: list[int], came_at: list[int], slack_ns: int, spans: _Spans) -> Pairs:
    """The most matches, and of these the quickest."""
    begin, end, first, last = spans
    rows, columns = end - begin, last - first
    if not rows or not columns:
        return []
    width = columns + 1
    best = [0] * ((rows + 1) * width)
    for row in range(rows - 1, -1, -1):
        digest, left = sent.digests[begin + row], left_at[begin + row]
        for column in range(columns - 1, -1, -1):
            here = row * width + column
            value = max(best[here + width], best[here + 1])
            delay = came_at[first + column] - left
            if digest == arrived.digests[first + column] and delay >= -slack_ns:
                value = max(value, best[here + width + 1] + _MATCH - min(abs(delay) // 1000, _MOST_COST))
            best[here] = value
    pairs: Pairs = []
    row = column = 0
    while row < rows and column < columns:
        here = row * width + column
        if best[here] == best[here + width]:
            row += 1
        elif best[here] == best[here + 1]:
            column += 1
        else:
            pairs.append((begin + row, first + column))
            row += 1
            column += 1
    return pairs


def _next_fitting(
    sent: Path, arrived: Path, left_at: list[int], came_at: list[int], slack_ns: int, spans: _Spans
) -> Pairs:
    """Each with the next of the same content, if there is one soon."""
    begin, end, first, last = spans
    pairs: Pairs = []
    for at in range(begin, end):
        for other in range(first, min(first + _AHEAD, last)):
            if sent.digests[at] == arrived.digests[other] and came_at[other] >= left_at[at] - slack_ns:
                pairs.append((at, other))
                first = other + 1
                break
    return pairs
