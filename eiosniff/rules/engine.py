"""Runs rules over the ledgers of one capture and merges what they hit into findings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from eiosniff.model.finding import Certainty, Evidence, Finding, Severity
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import CaptureSummary, Client, Server, Session
from eiosniff.model.tally import Sketch
from eiosniff.rules.api import Hit, Rule

# Evidence of a fault that repeats: the first occurrences and the last one show it; the count says the rest.
OCCURRENCES_SHOWN = 5

# (rule name, client, server, values of the hit) -> what to do, the most likely first.
FixSource = Callable[[str, Client | None, Server | None, dict[str, object]], list[str]]


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

    def of(self, subject: type) -> Iterable[object]:
        """The ledgers of one type."""
        if subject is CaptureSummary:
            return (self.summary,)
        ledgers: dict[type, Iterable[object]] = {
            Session: self.sessions,
            Client: self.clients,
            Server: self.servers,
        }
        return ledgers[subject]


@dataclass(slots=True)
class _Merged:
    """Hits of one rule that have the same identity."""

    rule: Rule
    hit: Hit
    client: Client | None
    server: Server | None
    occurrences: int = 0
    certainty: Certainty = Certainty.POSSIBLE
    doubt: str = ""
    severity: Severity = Severity.INFO
    period: Sketch = field(default_factory=Sketch)
    last_ns: dict[object, int] = field(default_factory=dict)
    proof: list[tuple[Evidence, ...]] = field(default_factory=list)
    last_proof: tuple[Evidence, ...] = ()
    sessions: dict[Session, None] = field(default_factory=dict)
    clients: dict[str, None] = field(default_factory=dict)
    servers: dict[str, None] = field(default_factory=dict)
    subjects: set[object] = field(default_factory=set)


def judge(rules: Iterable[Rule], ledgers: Ledgers, fixes: FixSource) -> list[Finding]:
    """Run rules over all ledgers. A rule that raises becomes a finding of its own (INT001); the rest goes on."""
    merged: dict[object, _Merged] = {}
    crashes: dict[str, Finding] = {}
    for rule in rules:
        for ledger in ledgers.of(rule.subject):
            try:
                for hit in rule.check(ledger):
                    _merge(merged, rule, hit, ledger, ledgers)
            except Exception as bug:  # a broken rule must not cost the user the others: reported as INT001, exit code 3
                crashes.setdefault(rule.code, _crash(rule, bug, ledgers.summary.file))
    findings = []
    for entry in merged.values():
        try:
            findings.append(_finding(entry, ledgers.summary.file, fixes))
        except Exception as bug:  # a message that cannot be filled in: as above
            crashes.setdefault(entry.rule.code, _crash(entry.rule, bug, ledgers.summary.file))
    return [*crashes.values(), *findings]


def _merge(merged: dict[object, _Merged], rule: Rule, hit: Hit, ledger: object, ledgers: Ledgers) -> None:
    client, server = _peers(hit, ledger, ledgers)
    library = client.identity.library if client and client.identity else None
    address = hit.client or (client.address if client else "")
    endpoint = str(hit.server or (server.endpoint if server else client.server if client else ""))
    key = (rule.code, hit.kind, endpoint, library or address)
    entry = merged.get(key)
    if entry is None:
        entry = merged[key] = _Merged(rule, hit, client, server)
    certainty, doubt = _certainty(rule, hit, ledger)
    if certainty.rank < entry.certainty.rank or not entry.occurrences:
        entry.certainty, entry.doubt = certainty, doubt
    entry.severity = max(entry.severity, hit.severity or rule.severity)
    entry.occurrences += hit.occurrences
    if hit.period_ns is not None:
        entry.period.add(hit.period_ns)
    if hit.evidence:
        first_ns = hit.evidence[0].ts_ns
        if address in entry.last_ns:
            entry.period.add(first_ns - entry.last_ns[address])
        entry.last_ns[address] = first_ns
        if len(entry.proof) < OCCURRENCES_SHOWN:
            entry.proof.append(hit.evidence)
        else:
            entry.last_proof = hit.evidence
    if isinstance(ledger, Session):
        entry.sessions[ledger] = None
        entry.subjects.add(("session", ledger.index))
    if address:
        entry.clients[address] = None
        entry.subjects.add(("client", address, endpoint))
    if endpoint:
        entry.servers[endpoint] = None
        entry.subjects.add(("server", endpoint))


def _peers(hit: Hit, ledger: object, ledgers: Ledgers) -> tuple[Client | None, Server | None]:
    """The client and the server that a hit is about."""
    if isinstance(ledger, Session):
        return ledger.client, ledger.server
    if isinstance(ledger, Client):
        return ledger, ledgers.server_at.get(ledger.server)
    if isinstance(ledger, Server):
        return None, ledger
    client = next(
        (known for known in ledgers.clients if known.address == hit.client and known.server == hit.server), None
    )
    return client, ledgers.server_at.get(hit.server) if hit.server else None


def _certainty(rule: Rule, hit: Hit, ledger: object) -> tuple[Certainty, str]:
    """Lowered where the capture lacks something that could show the opposite."""
    if rule.tolerates_gaps or not isinstance(ledger, Session) or hit.certainty is Certainty.POSSIBLE:
        return hit.certainty, hit.doubt
    if hit.evidence and ledger.gaps:
        first, last = min(item.packet for item in hit.evidence), max(item.packet for item in hit.evidence)
        gap = next((number for number in ledger.gaps if first <= number and (hit.lasting or number <= last)), None)
        if gap is not None:
            return Certainty.POSSIBLE, f"bytes are missing from the capture at packet {gap}, inside the evidence"
    if ledger.midstream:
        return Certainty.POSSIBLE, "the capture began after this session did"
    return hit.certainty, hit.doubt


def _finding(entry: _Merged, capture: str, fixes: FixSource) -> Finding:
    rule, hit = entry.rule, entry.hit
    values = {
        **hit.values,
        "client": _client_phrase(entry),
        "server": _server_phrase(entry),
    }
    proof = [item for occurrence in (*entry.proof, entry.last_proof) for item in occurrence]
    return Finding(
        rule=rule.code,
        name=rule.name,
        severity=entry.severity,
        certainty=entry.certainty,
        title=rule.title.format(**values),
        summary=rule.message.format(**values),
        why=rule.why.format(**values),
        fix=[*fixes(rule.name, entry.client, entry.server, hit.values)] or [text.format(**values) for text in rule.fix],
        occurrences=entry.occurrences,
        period_ns=entry.period.median if entry.period.count else None,
        evidence=list(_distinct(proof)),
        sessions=list(entry.sessions),
        clients=list(entry.clients),
        servers=list(entry.servers),
        subjects=frozenset(entry.subjects),
        capture=capture,
        first_packet=min((item.packet for item in proof), default=0),
        doubt=entry.doubt,
        hence=rule.hence.format(**values),
    )


def _distinct(proof: Iterable[Evidence]) -> Iterator[Evidence]:
    """Evidence in order of packets, each packet and text once."""
    yield from sorted(dict.fromkeys(proof), key=lambda item: item.packet)


def _client_phrase(entry: _Merged) -> str:
    addresses = list(entry.clients)
    identity = entry.client.identity if entry.client else None
    library = f" ({identity})" if identity else ""
    if len(addresses) > 1:
        return f"{len(addresses)} clients{library}"
    return f"{addresses[0]}{library}" if addresses else "the client"


def _server_phrase(entry: _Merged) -> str:
    identity = entry.server.identity if entry.server else None
    library = f" ({identity})" if identity else ""
    return f"{next(iter(entry.servers), 'the server')}{library}"


def _crash(rule: Rule, bug: Exception, capture: str) -> Finding:
    return internal_error(
        "INT001", "rule-crashed", f"the rule {rule.name} ({rule.code}) failed: {type(bug).__name__}", capture
    )


def internal_error(code: str, name: str, summary: str, capture: str) -> Finding:
    """Our own bug, as a finding: the rest of the report stands."""
    return Finding(
        rule=code,
        name=name,
        severity=Severity.WARNING,
        certainty=Certainty.CERTAIN,
        title="eiosniff itself failed on a part of this capture",
        summary=summary,
        why="This is a bug of eiosniff, not of your client or server; everything else in this report stands.",
        fix=["Please report it, with the capture if you may share it."],
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
