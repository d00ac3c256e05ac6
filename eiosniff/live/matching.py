"""Which findings of a judgement are those of the one before.

The engine merges hits by what is mended in one place: rule, server, and the program of the client. A finding does not
carry that key, and it may change as more is known of a client; so findings are matched by what they show.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from eiosniff.model.finding import Finding


def match(olds: Sequence[Finding], news: Sequence[Finding]) -> dict[Finding, Finding]:
    """For each new finding the old one that it continues, if there is one; no old one is continued twice.

    They have the same rule and, the first that finds one: the same first packet (and words, and peers), a packet of
    evidence in common, a session, a client at a server or a server.
    """
    found: dict[Finding, Finding] = {}
    left, wanted = list(olds), list(news)
    for keys in _KEYS:
        if not left or not wanted:
            break
        found.update(_pairs(left, wanted, keys))
        taken = set(found.values())
        left = [old for old in left if old not in taken]
        wanted = [new for new in wanted if new not in found]
    return found


def merged_into(
    lost: Iterable[Finding], news: Iterable[Finding], before: dict[Finding, Finding]
) -> dict[Finding, Finding]:
    """For each old finding that nothing continues the new one that it is part of now, if there is one: of the same
    rule, with a packet of evidence, a session or a peer in common, and with all that both were before.

    `before` is what `match` returned. A client whose library becomes known may turn two findings into one.
    """
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for new in news:
        if new in before:
            by_rule[new.rule].append(new)
    found: dict[Finding, Finding] = {}
    for old in lost:
        for new in by_rule.get(old.rule, ()):
            if new.occurrences >= before[new].occurrences + old.occurrences and _overlap(old, new):
                found[old] = new
                break
    return found


def _pairs(
    olds: Iterable[Finding], news: Iterable[Finding], keys: Callable[[Finding], Iterable[Hashable]]
) -> Iterator[tuple[Finding, Finding]]:
    """New and old findings that share a key, in the order of the new ones; each is in one pair at most."""
    at: defaultdict[Hashable, deque[Finding]] = defaultdict(deque)
    for old in olds:
        for key in keys(old):
            at[old.rule, key].append(old)
    taken: set[Finding] = set()
    for new in news:
        for key in keys(new):
            waiting = at.get((new.rule, key))
            while waiting and waiting[0] in taken:
                waiting.popleft()
            if waiting:
                old = waiting.popleft()
                taken.add(old)
                yield new, old
                break


def _overlap(old: Finding, new: Finding) -> bool:
    return any(not set(keys(old)).isdisjoint(keys(new)) for keys in (_evidence, _sessions, _peers))


def _words(finding: Finding) -> Iterator[Hashable]:
    yield finding.first_packet, finding.title, finding.summary


def _title(finding: Finding) -> Iterator[Hashable]:
    yield finding.first_packet, finding.title, tuple(finding.clients[:1]), tuple(finding.servers[:1])


def _first_packet(finding: Finding) -> Iterator[Hashable]:
    if finding.first_packet:
        yield finding.first_packet


def _evidence(finding: Finding) -> Iterator[Hashable]:
    for item in finding.evidence:
        yield item.packet


def _sessions(finding: Finding) -> Iterator[Hashable]:
    for session in finding.sessions:
        yield session.index


def _peers(finding: Finding) -> Iterator[Hashable]:
    """A client at a server; the servers if it is about no client, and if about none, all of the rule are alike."""
    if not finding.clients:
        yield from finding.servers or ("",)
        return
    for subject in finding.subjects:
        if isinstance(subject, tuple) and subject[0] == "client":
            yield subject


_KEYS = (_words, _title, _first_packet, _evidence, _sessions, _peers)
