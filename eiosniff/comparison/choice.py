"""Which two conversations are compared: the one that went best, and the one that fails."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from eiosniff.comparison.course import is_cut
from eiosniff.comparison.recorder import Recorder
from eiosniff.errors import EiosniffError
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.comparison import Conversation
from eiosniff.model.finding import Diagnosis, Finding, Report, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import NamespaceState, Session

_BEGINNING: Final = 4  # characters of a session id that stand for it
_NAMED: Final = 5  # sessions and clients, where what was asked for is not there
# On the capture and on us; no conversation fails for it.
_NO_CAUSES: Final = ("CAP", "INT")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user chose: a session by its id (or `s1`, or the beginning of its id), or a client by its address."""

    session: str | None = None
    client: str | None = None

    def __str__(self) -> str:
        return f"session {self.session}" if self.session is not None else f"client {self.client}"


@dataclass(slots=True, eq=False)
class Material:
    """What is known of one capture: its report, and what the recorder kept."""

    report: Report
    recorder: Recorder

    @property
    def file(self) -> str:
        """The name of the capture."""
        return self.report.captures[0].file

    def conversation(self, session: Session, why: str) -> Conversation:
        """The one that a session is."""
        attempt = session.attempt
        said = self.recorder.said.get(session.index, [])
        return Conversation(
            self.report.captures[0], session.client, session.server, session, attempt, said=said, why=why
        )

    def attempted(self, client: Client, attempt: Attempt, why: str) -> Conversation:
        """The one that a handshake is."""
        if attempt.session is not None:
            return self.conversation(attempt.session, why)
        server = next((known for known in self.recorder.servers if known.endpoint == client.server), None)
        return Conversation(self.report.captures[0], client, server, attempt=attempt, why=why)


def concerns(finding: Finding, conversation: Conversation) -> bool:
    """Whether a finding is about this conversation, its client, or its server as a whole."""
    if finding.sessions and conversation.session is not None:
        return conversation.session in finding.sessions
    address, endpoint = conversation.peers
    of_clients = [subject for subject in finding.subjects if isinstance(subject, tuple) and subject[0] == "client"]
    if of_clients:
        return ("client", address, str(endpoint)) in of_clients
    return ("server", str(endpoint)) in finding.subjects


def causes(report: Report, least: Severity) -> Iterator[Diagnosis]:
    """The diagnoses that may be why a conversation fails."""
    for diagnosis in report.diagnoses:
        if diagnosis.finding.severity >= least and not diagnosis.finding.rule.startswith(_NO_CAUSES):
            yield diagnosis


# ---------------------------------------------------------------- the working one


def working(material: Material, wanted: Wanted) -> Conversation:
    """The session that went best, or the best of those that the user chose."""
    sessions = [session for session in material.report.sessions if _is_wanted(session, wanted)]
    if not sessions:
        raise _nothing(material, wanted, "a session that works")
    worst: dict[Session, Severity] = {}
    for finding in _findings(material.report):
        for session in finding.sessions:
            worst[session] = max(worst.get(session, Severity.INFO), finding.severity)
    best = min(sessions, key=lambda session: (worst.get(session, 0) >= Severity.WARNING, *_quality(session)))
    return material.conversation(best, "as you chose" if wanted != Wanted() else "the one that went best")


def _quality(session: Session) -> tuple[object, ...]:
    """Less is better."""
    beats = session.heartbeats
    connected = sum(each.state is NamespaceState.CONNECTED for each in session.namespaces.values())
    refused = sum(each.state is NamespaceState.REFUSED for each in session.namespaces.values())
    joined = any(each.let_in is not None or each.connected is not None for each in session.namespaces.values())
    events = sum(counts.get("EVENT", 0) + counts.get("BINARY_EVENT", 0) for counts in session.socketio_counts)
    return (
        session.midstream,
        session.socketio09,
        not joined,
        is_cut(session),
        bool(beats.unanswered) or bool(beats.reversed),
        refused,
        not session.on_websocket,
        not events,
        not beats.pongs,
        -connected,
        session.index,
    )


# ---------------------------------------------------------------- the failing one


def failing(material: Material, wanted: Wanted, avoid: Iterable[str], other: Session | None) -> Conversation:
    """The conversation that the first diagnosis is about, but for those that `avoid` names (rules of the working one),
    or what the user chose; `other` is the working one, if it is of the same capture."""
    if wanted != Wanted():
        return _chosen(material, wanted)
    known = frozenset(avoid)
    found = [*causes(material.report, Severity.WARNING), *causes(material.report, Severity.INFO)]
    for diagnosis in sorted(found, key=lambda each: each.finding.name in known):
        conversation = _of_finding(material, diagnosis.finding, other)
        if conversation is not None:
            return conversation
    sessions = [session for session in material.report.sessions if session is not other]
    if not sessions:
        raise _nothing(material, wanted, "a conversation" if other is None else "a second conversation")
    worst = max(sessions, key=_quality)
    return material.conversation(worst, "the one that went least well; no rule has anything to say about it")


def _chosen(material: Material, wanted: Wanted) -> Conversation:
    sessions = [session for session in material.report.sessions if _is_wanted(session, wanted)]
    if wanted.session is None:
        for client, attempt in _attempts(material):
            if client.address == wanted.client and attempt.outcome is not Outcome.OPENED:
                return material.attempted(client, attempt, "as you chose")
        for failed in material.report.captures[0].failed_connects:
            if failed.client == wanted.client and not sessions:
                return Conversation(material.report.captures[0], failed=failed, why="as you chose")
    if not sessions:
        raise _nothing(material, wanted, "a conversation")
    for diagnosis in causes(material.report, Severity.WARNING):
        for session in sessions:
            if session in diagnosis.finding.sessions:
                return material.conversation(session, "as you chose")
    return material.conversation(max(sessions, key=_quality), "as you chose")


def _of_finding(material: Material, finding: Finding, other: Session | None) -> Conversation | None:
    least = "the one that went least well: " if finding.severity is Severity.INFO else "the one that "
    why = f"{least}{finding.name} is about{' it' if finding.severity is Severity.INFO else ''}"
    proof = {item.packet for item in finding.evidence}
    sessions = [session for session in finding.sessions if session is not other]
    if sessions:
        first = finding.first_packet
        held = [session for session in sessions if session.opened.number <= first <= session.last.number]
        return material.conversation((held or sessions)[0], why)
    if finding.sessions:
        return None
    clients = [
        client
        for client in material.recorder.clients
        if ("client", client.address, str(client.server)) in finding.subjects
    ]
    attempted = _of_attempts(material, finding, proof, clients, why)
    if attempted is not None:
        return attempted
    for failed in material.report.captures[0].failed_connects:
        if ("client", failed.client, str(failed.server)) in finding.subjects and failed.tally.first[
            0
        ].syn.number in proof:
            return Conversation(material.report.captures[0], failed=failed, why=why)
    return _of_peers(material, finding, other, clients, why)


def _of_attempts(
    material: Material, finding: Finding, proof: set[int], clients: list[Client], why: str
) -> Conversation | None:
    tried = [(client, attempt) for client, attempt in _attempts(material) if client in clients]
    for client, attempt in tried:
        places = (attempt.request.place, attempt.answer, attempt.ended)
        if any(place is not None and place.number in proof for place in places):
            return material.attempted(client, attempt, why)
    if finding.severity is Severity.INFO:
        return None
    for client, attempt in tried:
        if attempt.outcome is not Outcome.OPENED:
            return material.attempted(client, attempt, why)
    return None


def _of_peers(
    material: Material, finding: Finding, other: Session | None, clients: list[Client], why: str
) -> Conversation | None:
    """A session of the clients or of the server that a finding names; a client that has none stands for itself."""
    sessions = [
        session
        for session in material.report.sessions
        if session is not other
        and (session.client in clients if clients else ("server", str(session.server.endpoint)) in finding.subjects)
    ]
    if sessions:
        return material.conversation(max(sessions, key=_quality), why)
    if finding.severity is Severity.INFO or other is not None or any(client.sessions for client in clients):
        return None
    if clients:
        return Conversation(material.report.captures[0], clients[0], why=why)
    # What failed before any HTTP, such as TLS, has no ledger of its own.
    server = _endpoint(finding.servers[0]) if finding.servers else None
    ends = (finding.clients[0] if finding.clients else "", server)
    return Conversation(material.report.captures[0], ends=ends, why=why) if server is not None else None


def _endpoint(text: str) -> Endpoint | None:
    address, _, port = text.rpartition(":")
    return Endpoint(address.strip("[]"), int(port)) if port.isascii() and port.isdigit() else None


def _attempts(material: Material) -> Iterator[tuple[Client, Attempt]]:
    """All handshakes that are known, in the order in which they were made."""
    found = [
        (client, attempt)
        for client in material.recorder.clients
        for group in (client.attempts, client.attempts09)
        for tally in group.values()
        for attempt in tally
    ]
    yield from sorted(found, key=lambda each: each[1].request.place.number)


def _findings(report: Report) -> Iterator[Finding]:
    for diagnosis in report.diagnoses:
        yield from diagnosis.findings


def _is_wanted(session: Session, wanted: Wanted) -> bool:
    if wanted.client is not None and session.client_endpoint.address != wanted.client:
        return False
    name, sid = wanted.session, session.sid or ""
    if name is None or name in (sid, f"s{session.index}"):
        return True
    return len(name) >= _BEGINNING and sid.startswith(name)


def _in_order(sessions: list[Session]) -> list[Session]:
    return sorted(sessions, key=lambda session: session.index)


def _nothing(material: Material, wanted: Wanted, what: str) -> EiosniffError:
    """Why there is nothing to be compared."""
    report = material.report
    if wanted != Wanted() and (report.sessions or material.recorder.clients):
        sessions = ", ".join(
            f"s{session.index} {session.sid or ''}".strip() for session in _in_order(report.sessions)[:_NAMED]
        )
        clients = ", ".join(dict.fromkeys(client.address for client in material.recorder.clients[:_NAMED]))
        there = f"there are {sessions}" if sessions else "it has no session"
        return EiosniffError(f"{material.file} has no {wanted}", f"{there}; clients: {clients}")
    if any(diagnosis.finding.rule == "CAP227" for diagnosis in report.diagnoses):
        return EiosniffError(
            f"{material.file} holds no Socket.IO that can be read: what may be it is encrypted",
            f"`eiosniff analyze {material.file}` says how to get the keys",
        )
    if report.narrowed:
        return EiosniffError(f"{material.file} does not hold {what} with {report.narrowed}", "leave that out")
    return EiosniffError(
        f"{material.file} does not hold {what}", f"`eiosniff analyze {material.file}` says what it holds"
    )
