"""Runs rules over the ledgers of one capture and merges what they hit into findings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from heapq import heappush, heappushpop
from operator import attrgetter, itemgetter

from eiosniff.model.crossing import Crossing
from eiosniff.model.finding import Certainty, Evidence, Finding, Severity
from eiosniff.model.numbering import where as place_of
from eiosniff.model.peers import Client, Retired, Server
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import MAX_SESSIONS, CloseHow, Session
from eiosniff.model.summary import CaptureSummary, Drops
from eiosniff.model.tally import Sketch
from eiosniff.rules.api import Hit, Rule
from eiosniff.rules.gaps import shown_between
from eiosniff.rules.user_rules import at_fault

# Evidence of a fault that repeats: the first occurrences and the last one show it; the count says the rest.
OCCURRENCES_SHOWN = 5
# Of one capture, and of as many as ledgers are kept: each holds on to a client and a server. Hits beyond are merged by
# rule, whoever they are about.
MAX_FINDINGS = 10_000
FEWEST_FINDINGS = 1_000
# Pairs of a client and a server that all findings name, and each of them may; others are only counted.
MAX_PLACES = 20_000
PLACES_OF_EACH = 8

# (rule name, client, server, values of the hit) -> what to do, the most likely first.
FixSource = Callable[[str, Client | None, Server | None, dict[str, object]], list[str]]

_Peers = tuple[Client | None, Server | None]
_Key = tuple[object, ...]
_Place = tuple[str, str]
Where = Callable[[int], str]  # a packet number as a person finds it
PACKETS: Where = partial(place_of, None)
_Last = tuple[int, int]


@dataclass(frozen=True)
class Ledgers:
    """What rules look at: everything recorded of one capture."""

    summary: CaptureSummary
    sessions: list[Session]
    clients: list[Client]
    servers: list[Server]

    @cached_property
    def server_at(self) -> dict[Endpoint, Server]:
        """The servers by their endpoints: each hit about a client asks for one."""
        return {server.endpoint: server for server in self.servers}


@dataclass(slots=True, eq=False)
class _Room:
    """How many of `MAX_PLACES` are taken."""

    taken: int = 0


@dataclass(slots=True, eq=False)
class _Merged:
    """Hits of one rule that have the same identity.

    They may come in any order; `order` is the place of a hit among all, and `hit` is the first in that order. `proof`
    is the evidence of the first few and of the last. `places` are the clients and servers, with the order and the
    instant of the last hit at each.
    """

    rule: Rule
    hit: Hit
    order: int
    peers: _Peers
    occurrences: int = 0
    certainty: Certainty = Certainty.POSSIBLE
    certainty_order: int | None = None
    doubt: str = ""
    severity: Severity = Severity.INFO
    period: Sketch = field(default_factory=Sketch)
    proof: list[tuple[int, tuple[Evidence, ...]]] = field(default_factory=list)
    room: _Room = field(default_factory=_Room)
    where: Where = PACKETS
    places: dict[_Place, _Last | None] = field(default_factory=dict)
    has_more_places: bool = False
    sessions: list[Session] = field(default_factory=list)

    def add(self, hit: Hit, order: int, peers: _Peers, ledger: object, drops: Sequence[Drops]) -> None:
        """One more hit."""
        certainty, doubt = _certainty(self.rule, hit, ledger, self.where)
        if drops and not self.rule.tolerates_gaps:
            certainty, doubt = _doubted(hit, drops, certainty, doubt)
        self._lead(hit, order, peers)
        self._judge(certainty, order, doubt, max(self.severity, self.rule.severity_of(hit)))
        self.occurrences += hit.occurrences
        if hit.period_ns is not None:
            self.period.add(hit.period_ns)
        place = _place(hit, peers)
        last = self.places.get(place)
        if hit.evidence:
            self._prove([(order, hit.evidence)])
            begun_ns = hit.evidence[0].ts_ns
            if last is not None and order >= last[0]:
                self.period.add(begun_ns - last[1])
            last = _later(last, (order, begun_ns))
        self._locate(place, last)

    def merge(self, other: "_Merged") -> None:
        """All hits of another one."""
        self._lead(other.hit, other.order, other.peers)
        self._judge(other.certainty, other.certainty_order or 0, other.doubt, other.severity)
        self.occurrences += other.occurrences
        self.period.merge(other.period)
        self._prove(other.proof)
        self.has_more_places = self.has_more_places or other.has_more_places
        other.room.taken -= len(other.places)
        for place, last in other.places.items():
            self._locate(place, _later(self.places.get(place), last))

    def _lead(self, hit: Hit, order: int, peers: _Peers) -> None:
        if order < self.order:
            self.hit, self.order, self.peers = hit, order, peers

    def _judge(self, certainty: Certainty, order: int, doubt: str, severity: Severity) -> None:
        known = self.certainty_order
        if known is None or (certainty.rank, order) < (self.certainty.rank, known):
            self.certainty, self.certainty_order, self.doubt = certainty, order, doubt
        self.severity = max(self.severity, severity)

    def _prove(self, proof: list[tuple[int, tuple[Evidence, ...]]]) -> None:
        self.proof.extend(proof)
        self.proof.sort(key=itemgetter(0))
        del self.proof[OCCURRENCES_SHOWN:-1]

    def _locate(self, place: _Place, last: _Last | None) -> None:
        if place not in self.places:
            if self.room.taken >= MAX_PLACES and len(self.places) >= PLACES_OF_EACH:
                self.has_more_places = True
                return
            self.room.taken += 1
        self.places[place] = last


# How bad, when last seen, the index (no two have the same), the session, and the rules and kinds of its hits.
_Faulty = tuple[int, int, int, Session, tuple[tuple[Rule, str], ...]]


class Judge:
    """Runs rules over the ledgers of one capture.

    Ledgers that are let go while the capture is read are given to `take`, the others to `findings` at the end. What is
    found is the same as if all had been kept, but that a finding lists only sessions in memory, and that its period may
    miss the time between two hits that are merged late. Of the sessions let go the faulty ones are kept, the worst and
    then the last seen, up to `keep`.

    A rule that raises becomes a finding of its own (INT001); the rest goes on.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        fixes: FixSource,
        capture: str,
        keep: int = MAX_SESSIONS,
        drops: Sequence[Drops] = (),
        where: Where = PACKETS,
    ) -> None:
        """`drops` is the list of the capture's ledger, which grows; `where` tells of a packet number what it is."""
        self._rules = list(rules)
        self._of_subject: dict[type, list[Rule]] = {}
        for rule in self._rules:
            for subject in rule.subject if isinstance(rule.subject, tuple) else (rule.subject,):
                self._of_subject.setdefault(subject, []).append(rule)
        self._fixes = fixes
        self._capture = capture
        self._keep = keep
        self._drops = drops
        self._where = where
        self._faulty: list[_Faulty] = []  # a heap
        self._merged: dict[_Key, _Merged] = {}
        # Hits in sessions whose client is still followed: which library it is, and so whose hits they join, is open.
        self._unsettled: dict[Client, dict[_Key, _Merged]] = {}
        self._unsettled_count = 0
        self._most = min(max(keep, FEWEST_FINDINGS), MAX_FINDINGS)
        self._room = _Room()
        self._crashes: dict[Rule, Finding] = {}
        self._taken = 0

    @property
    def faulty(self) -> list[Session]:
        """The faulty sessions that were let go, as far as they are kept, in the order of their opening."""
        return sorted((session for _, _, _, session, _ in self._faulty), key=attrgetter("index"))

    def take(self, retired: Retired) -> None:
        """Judge a ledger that was let go. A client comes after its sessions, and its identity is known."""
        ledger, server = retired
        if isinstance(ledger, Session):
            merged = self._unsettled.setdefault(ledger.client, {})
            before = len(merged)
            self._keep_if_faulty(ledger, self._run(ledger, ledger.index, merged, (ledger.client, server)))
            self._unsettled_count += len(merged) - before
            if not merged:
                del self._unsettled[ledger.client]
        elif isinstance(ledger, Client):
            self._settle(ledger)
            self._run(ledger, self._next(), self._merged, (ledger, server))
        else:
            self._run(ledger, self._next(), self._merged, (None, server))

    def findings(self, rest: Ledgers) -> list[Finding]:
        """Judge the ledgers that are left; returns what was found in all of them."""
        self._capture = rest.summary.file  # which may be of more files by now
        for client in list(self._unsettled):
            self._settle(client)
        for _, _, _, session, hits in sorted(self._faulty, key=itemgetter(2)):
            for rule, kind in hits:
                key = self._key(self._merged, rule, kind, _place(None, (session.client, None)), session.client)
                merged = self._merged.get(key, self._merged.get((rule.code,)))
                if merged is not None:  # what was merged by rule alone may have come to another finding
                    merged.sessions.append(session)
        for session in rest.sessions:
            for entry in self._run(session, session.index, self._merged, (session.client, session.server)):
                entry.sessions.append(session)
        for client in rest.clients:
            self._run(client, self._next(), self._merged, (client, rest.server_at.get(client.server)))
        for server in rest.servers:
            self._run(server, self._next(), self._merged, (None, server))
        self._run(rest.summary, self._next(), self._merged, rest)
        return self._all_findings()

    def crossings(self, crossings: Iterable[Crossing]) -> list[Finding]:
        """Judge sessions that two captures show; their evidence is in order of time."""
        for crossing in crossings:
            session = crossing.client
            for entry in self._run(crossing, self._next(), self._merged, (session.client, session.server)):
                entry.sessions += [session, crossing.server]
        found = self._all_findings()
        for finding in found:
            finding.evidence.sort(key=attrgetter("ts_ns"))
            places = [(each.client_endpoint.address, str(each.server.endpoint)) for each in finding.sessions]
            finding.subjects |= frozenset(_subjects(places))
        return found

    def _run(self, ledger: object, order: int, merged: dict[_Key, _Merged], peers: _Peers | Ledgers) -> list[_Merged]:
        """Run the rules for a ledger; returns the entries that their hits were merged into, each once."""
        entries: dict[_Merged, None] = {}
        if isinstance(ledger, Session) and ledger.socketio09:
            return []  # what rules judge a session by is not so in Socket.IO 0.9; of its client, EIO006 tells of it
        one_side = isinstance(ledger, Session) and ledger.one_direction
        for rule in self._of_subject.get(type(ledger), ()):
            if one_side and not rule.one_side_tells:
                continue
            try:
                for hit in rule.hits(ledger):
                    about = _named_peers(hit, peers) if isinstance(peers, Ledgers) else peers
                    key = self._key(merged, rule, hit.kind, _place(hit, about), about[0])
                    entry = merged.get(key)
                    if entry is None:
                        entry = merged[key] = _Merged(rule, hit, order, about, room=self._room, where=self._where)
                    entry.add(hit, order, about, ledger, self._drops)
                    entries[entry] = None
            # A broken rule must not cost the user the others: reported as INT001, exit code 3.
            except (Exception, SystemExit) as bug:
                self._crashed(rule, bug)
        return list(entries)

    def _key(self, merged: dict[_Key, _Merged], rule: Rule, kind: str, place: _Place, client: Client | None) -> _Key:
        """What makes two hits one finding: whatever differs here is mended in different places."""
        key = (rule.code, kind, place[1], _program(client))
        full = len(merged) >= self._most if merged is self._merged else self._unsettled_count >= MAX_FINDINGS
        return (rule.code,) if full and key not in merged else key

    def _next(self) -> int:
        self._taken += 1
        return self._taken

    def _keep_if_faulty(self, session: Session, entries: list[_Merged]) -> None:
        severity = max((entry.severity for entry in entries), default=Severity.INFO)
        if severity is Severity.INFO:
            return
        hits = tuple((entry.rule, entry.hit.kind) for entry in entries)
        faulty = severity, session.last.ts_ns, session.index, session, hits
        if len(self._faulty) < self._keep:
            heappush(self._faulty, faulty)
        else:
            heappushpop(self._faulty, faulty)

    def _settle(self, client: Client) -> None:
        """The library of a client is known now, if it ever will be."""
        unsettled = self._unsettled.pop(client, {})
        self._unsettled_count -= len(unsettled)
        for entry in unsettled.values():
            key = self._key(self._merged, entry.rule, entry.hit.kind, next(iter(entry.places)), client)
            if key in self._merged:
                self._merged[key].merge(entry)
            else:
                self._merged[key] = entry

    def _all_findings(self) -> list[Finding]:
        rank = {rule: place for place, rule in enumerate(self._rules)}
        findings = []
        for entry in sorted(self._merged.values(), key=lambda entry: rank[entry.rule]):
            try:
                findings.append(_finding(entry, self._capture, self._fixes))
            except Exception as bug:  # a message that cannot be filled in: as above
                self._crashed(entry.rule, bug)
        crashes = sorted(self._crashes.items(), key=lambda crash: rank[crash[0]])
        for _, finding in crashes:
            finding.capture = self._capture
        return [*(finding for _, finding in crashes), *findings]

    def _crashed(self, rule: Rule, bug: BaseException) -> None:
        self._crashes.setdefault(rule, _crash(rule, bug, self._capture))


def judge(rules: Iterable[Rule], ledgers: Ledgers, fixes: FixSource) -> list[Finding]:
    """Run rules over the ledgers of a capture of which none was let go."""
    return Judge(rules, fixes, ledgers.summary.file).findings(ledgers)


def _program(client: Client | None) -> object:
    """What a client runs: its library; else what tells one program from another, the requests that it makes."""
    if client is None:
        return None
    if client.identity is not None:
        return client.identity.library
    request = client.websocket_request or client.polling_request
    return client.user_agent, request.header_names if request is not None else ()


def _place(hit: Hit | None, peers: _Peers) -> _Place:
    """The client and the server that a hit is about, as texts; empty where it is about none."""
    client, server = peers
    named_client, named_server = (hit.client, hit.server) if hit is not None else (None, None)
    address = named_client or (client.address if client else "")
    return address, str(named_server or (server.endpoint if server else client.server if client else ""))


def _later(one: _Last | None, other: _Last | None) -> _Last | None:
    return other if one is None or (other is not None and other[0] >= one[0]) else one


def _named_peers(hit: Hit, ledgers: Ledgers) -> _Peers:
    """The client and the server that a hit on the capture names."""
    client = next(
        (known for known in ledgers.clients if known.address == hit.client and known.server == hit.server), None
    )
    return client, ledgers.server_at.get(hit.server) if hit.server else None


def _certainty(rule: Rule, hit: Hit, ledger: object, where: Where) -> tuple[Certainty, str]:
    """Lowered where the capture lacks something that could show the opposite."""
    if rule.tolerates_gaps or not isinstance(ledger, Session) or hit.certainty is Certainty.POSSIBLE:
        return hit.certainty, hit.doubt
    if hit.evidence and ledger.gaps:
        first, last = min(item.packet for item in hit.evidence), max(item.packet for item in hit.evidence)
        gap = shown_between(ledger, first, None if hit.lasting else last)
        if gap is not None:
            return Certainty.POSSIBLE, f"bytes are missing from the capture at {where(gap)}, inside the evidence"
    if ledger.midstream:
        return Certainty.POSSIBLE, "the capture began after this session did"
    closing = ledger.closing
    guessed = closing.place.number if closing is not None and closing.how is CloseHow.UNSEEN else None
    if hit.certainty is Certainty.CERTAIN and any(item.packet == guessed for item in hit.evidence):
        return Certainty.LIKELY, "a HAR does not tell who ended the WebSocket, nor how"
    return hit.certainty, hit.doubt


def _doubted(hit: Hit, drops: Sequence[Drops], certainty: Certainty, doubt: str) -> tuple[Certainty, str]:
    """Lowered by a step where the capturing host dropped packets while it happened: most of what is missing shows in
    TCP's sequence numbers, but not what came last."""
    if not hit.evidence or certainty is Certainty.POSSIBLE:
        return certainty, doubt
    first, last = hit.evidence[0].ts_ns, hit.evidence[-1].ts_ns
    inside = [each.packets for each in drops if first <= each.until_ns and (hit.lasting or each.from_ns <= last)]
    if not inside:
        return certainty, doubt
    if not all(inside):
        return Certainty.POSSIBLE, "a file is missing that was captured in that time"
    lower = Certainty.LIKELY if certainty is Certainty.CERTAIN else Certainty.POSSIBLE
    return lower, f"the capturing host dropped {sum(inside):,} packets in that time"


def _finding(entry: _Merged, capture: str, fixes: FixSource) -> Finding:
    rule, hit = entry.rule, entry.hit
    client, server = entry.peers
    addresses = list(dict.fromkeys(address for address, _ in entry.places if address))
    endpoints = list(dict.fromkeys(endpoint for _, endpoint in entry.places if endpoint))
    values = {
        **hit.values,
        "client": _client_phrase(addresses, entry.has_more_places, client),
        "server": _server_phrase(endpoints, server),
    }
    proof = [item for _, occurrence in entry.proof for item in occurrence]
    return Finding(
        rule=rule.code,
        name=rule.name,
        severity=entry.severity,
        certainty=entry.certainty,
        title=rule.title.format(**values),
        summary=rule.message.format(**values),
        why=rule.why.format(**values),
        fix=[*fixes(rule.name, client, server, hit.values)]
        or [said for text in rule.fix if (said := text.format(**values))],
        occurrences=entry.occurrences,
        period_ns=entry.period.median if entry.period.count else None,
        evidence=list(_distinct(proof)),
        sessions=sorted(entry.sessions, key=attrgetter("index")),
        clients=addresses,
        servers=endpoints,
        subjects=frozenset(_subjects(entry.places)),
        capture=capture,
        first_packet=min((item.packet for item in proof), default=0),
        doubt=entry.doubt,
        hence=rule.hence.format(**values),
    )


def _subjects(places: Iterable[_Place]) -> Iterator[object]:
    """Not the sessions: findings that concern the same one concern the same client."""
    for address, endpoint in places:
        if address:
            yield "client", address, endpoint
        if endpoint:
            yield "server", endpoint


def _distinct(proof: Iterable[Evidence]) -> Iterator[Evidence]:
    """Evidence in order of packets, each packet and text once."""
    yield from sorted(dict.fromkeys(proof), key=lambda item: item.packet)


def _client_phrase(addresses: list[str], and_more: bool, client: Client | None) -> str:
    identity = client.identity if client else None
    library = f" ({identity})" if identity else ""
    if len(addresses) > 1:
        return f"{'more than ' if and_more else ''}{len(addresses)} clients{library}"
    return f"{addresses[0]}{library}" if addresses else "the client"


def _server_phrase(endpoints: list[str], server: Server | None) -> str:
    identity = server.identity if server else None
    library = f" ({identity})" if identity else ""
    return f"{next(iter(endpoints), 'the server')}{library}"


def _crash(rule: Rule, bug: BaseException, capture: str) -> Finding:
    if not rule.origin:
        problem = f"the rule {rule.name} ({rule.code}) failed: {type(bug).__name__}"
        return internal_error("INT001", "rule-crashed", problem, capture)
    line, problem = at_fault(bug, rule.file)
    if line is None and isinstance(bug, KeyError):
        problem = f"a text of it wants {{{bug.args[0]}}}, which the Hit does not give"
    place = f"{rule.origin}{f', line {line}' if line else ''}"
    return internal_error(
        "INT001", "rule-crashed", f"the rule {rule.name} ({rule.code}) of {place} failed: {problem}", capture, rule.name
    )


def internal_error(code: str, name: str, summary: str, capture: str, foreign_rule: str = "") -> Finding:
    """Our own bug, or that of a rule that is not eiosniff's, as a finding: the rest of the report stands."""
    title = "eiosniff itself failed on a part of this capture"
    why = "This is a bug of eiosniff, not of your client or server; everything else in this report stands."
    fix = "Please report it, with the capture if you may share it."
    if foreign_rule:
        title = f"The rule {foreign_rule}, which is not eiosniff's, failed on a part of this capture"
        why = "This is a bug of that rule, not of your client or server; everything else in this report stands."
        fix = f"Mend the rule; until then, --ignore {foreign_rule} leaves it out."
    return Finding(
        rule=code,
        name=name,
        severity=Severity.WARNING,
        certainty=Certainty.CERTAIN,
        title=title,
        summary=summary,
        why=why,
        fix=[fix],
        occurrences=1,
        period_ns=None,
        evidence=[],
        sessions=[],
        clients=[],
        servers=[],
        subjects=frozenset(),
        capture=capture,
        first_packet=0,
    )
