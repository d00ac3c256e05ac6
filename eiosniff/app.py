"""The one module that knows everything: it joins sources, decoders, rules and knowledge into a report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from eiosniff import __version__, knowledge
from eiosniff.errors import CaptureError, EiosniffError
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Finding, Report, RuleInfo, Severity, Totals
from eiosniff.model.peers import Retired
from eiosniff.model.session import MAX_SESSIONS, Session
from eiosniff.model.summary import CaptureProblem, CaptureSummary
from eiosniff.rules import registry
from eiosniff.rules.api import Rule
from eiosniff.rules.diagnosis import diagnose
from eiosniff.rules.engine import Judge, Ledgers, internal_error

if TYPE_CHECKING:
    from eiosniff.capture.source import CaptureSource
    from eiosniff.decode.stack import Stack
    from eiosniff.report.selection import Selection

# What needs numpy is imported where a capture is read: `eiosniff rules` starts without it.
# Called now and then with the bytes read so far, and the size of all input if it is known.
Progress = Callable[[int, int | None], None]
_Rank = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose. `select` and `ignore` hold codes or names of rules; `None` selects all.

    `rule_files` are Python files with rules of the user's own, which are run. `severity` and `limits` are by the code
    of a rule: how bad it is whatever it finds, and its limits that are not to have their defaults.
    `max_sessions` are listed in the report. `kept_sessions`, and those listed, are in memory at a time; what was found
    in older ones is folded into the findings. These are two numbers so that a short list does not change what is found.
    """

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    rule_files: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    path: str | None = None
    max_sessions: int = MAX_SESSIONS
    kept_sessions: int = MAX_SESSIONS
    batch_size: int = 35_000


def analyze(captures: Sequence[str], options: Options, progress: Progress | None = None) -> Report:
    """Read captures (paths, `-` is standard input) and diagnose them. Raises `EiosniffError` for unusable input.

    Each capture is analysed by itself; the report is of all of them. Ctrl-C ends the reading: the report is then of
    what was read, and says that it was interrupted.
    """
    from eiosniff.decode.stack import Stack

    chosen = _chosen_rules(options)
    summaries: list[CaptureSummary] = []
    ranked: list[tuple[_Rank, Session]] = []
    findings: list[Finding] = []
    total, totals = 0, Totals()
    interrupted = False
    most = max(options.max_sessions, options.kept_sessions)
    for path in captures:
        stack = Stack(CaptureSummary(_name(path)), ports=options.ports, path=options.path, most=most)
        judge = Judge(chosen, knowledge.advice, stack.summary.file, most)
        try:
            for retired in _read(stack, path, options, progress):
                _fold(judge, totals, retired)
        except KeyboardInterrupt:
            interrupted = True
            stack.close()
            _fold(judge, totals, stack.retired())
        found = _findings(stack, judge)
        findings.extend(found)
        summaries.append(stack.summary)
        for session in stack.sessions.sessions:
            totals.add(session)
        kept = sorted([*judge.faulty, *stack.sessions.sessions], key=attrgetter("index"))
        for session in kept:
            session.index += total  # they are numbered over all captures
        ranked.extend(_rank(kept, found))
        ranked.sort(key=itemgetter(0))
        del ranked[options.max_sessions :]
        total += stack.sessions.total
        if interrupted:
            break
    diagnoses = diagnose(findings, chosen)
    return Report(
        version=__version__,
        captures=summaries,
        sessions=[session for _, session in ranked],
        diagnoses=diagnoses,
        sessions_total=total,
        sessions_folded=total - len(ranked),
        connections=sum(summary.connections for summary in summaries),
        totals=totals,
        crashed=any(finding.rule.startswith("INT") for finding in findings),
        interrupted=interrupted,
    )


def _name(path: str) -> str:
    return "standard input" if path == "-" else path


def _read(stack: "Stack", path: str, options: Options, progress: Progress | None) -> Iterator[list[Retired]]:
    """Feed a capture to its decoders; yields after each batch, and once more when all is settled, what was let go.

    Raises `CaptureError` for a capture that cannot be read, or none of whose packets can be decoded.
    """
    from eiosniff.capture.source import open_source
    from eiosniff.decode.links import link_name

    summary = stack.summary
    with open_source(path, batch_size=options.batch_size) as source:
        for batch in source.batches():
            summary.first_ns = source.first_ns
            _measure(summary, source)
            stack.feed(batch)
            if progress is not None:
                progress(source.position, source.size)
            yield stack.retired()
        if stack.unknown_links:
            names = ", ".join(link_name(link_type) for link_type in stack.unknown_links)
            raise CaptureError(
                f"{summary.file}: eiosniff cannot decode packets of link type {names}",
                "capture on an interface with Ethernet or IP (tcpdump -y lists what the interface offers)",
            )
        _measure(summary, source)
        summary.dropped = source.dropped
        summary.first_ns, summary.last_ns = source.first_ns, source.last_ns
        summary.problems = [
            CaptureProblem(problem.kind.value, problem.text, problem.packet) for problem in source.problems
        ]
    stack.close()
    yield stack.retired()


def _measure(summary: CaptureSummary, source: "CaptureSource") -> None:
    """Note what was read up to now: the user may stop the reading after each batch."""
    from eiosniff.decode.links import link_name

    summary.format = source.format
    summary.link_types = [link_name(link_type) for link_type in source.link_types]
    summary.packets = source.packets
    summary.bytes = source.wire_bytes


def _fold(judge: Judge, totals: Totals, retired: list[Retired]) -> None:
    """Keep what is to be known of ledgers that were let go."""
    for each in retired:
        if isinstance(each.ledger, Session):
            totals.add(each.ledger)
        knowledge.fold(each)
        judge.take(each)


def _findings(stack: "Stack", judge: Judge) -> list[Finding]:
    ledgers = Ledgers(
        stack.summary,
        stack.sessions.sessions,
        list(stack.sessions.clients.values()),
        list(stack.sessions.servers.values()),
    )
    knowledge.identify(ledgers.clients, ledgers.servers, ledgers.sessions)
    findings = judge.findings(ledgers)
    for crash in stack.crashes:
        findings.append(internal_error("INT002", "decoder-crashed", crash, stack.summary.file))
    return findings


def _chosen_rules(options: Options) -> list[Rule]:
    rules = registry.with_others(options.rule_files)
    known = {label for rule in rules for label in (rule.code, rule.code.lower(), rule.name)}
    unknown = sorted(((options.select or frozenset()) | options.ignore) - known)
    if unknown:
        raise EiosniffError(f"there is no rule {unknown[0]!r}", "'eiosniff rules list' shows all")

    def named(rule: Rule, names: frozenset[str]) -> bool:
        return bool(names & {rule.code, rule.code.lower(), rule.name})

    return [
        rule.adjusted(options.severity.get(rule.code), options.limits.get(rule.code, {}))
        for rule in rules
        if (options.select is None or named(rule, options.select)) and not named(rule, options.ignore)
    ]


def _rank(sessions: list[Session], findings: list[Finding]) -> Iterator[tuple[_Rank, Session]]:
    """Faulty sessions first (worst first), then the last seen."""
    worst: dict[Session, Severity] = {}
    for finding in findings:
        for session in finding.sessions:
            worst[session] = max(worst.get(session, Severity.INFO), finding.severity)
    for session in sessions:
        yield (-worst.get(session, 0), -session.last.ts_ns), session


def decode(
    captures: Sequence[str],
    options: Options,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
    selection: "Selection | None" = None,
) -> Iterator[DecodedPacket]:
    """Every Engine.IO packet of the captures, in order; only what `selection` takes, if there is one.

    Sessions are numbered over all captures, as in the report. `warn` is told what is wrong with a capture that could
    be read in part, and of one without any packet. Raises `EiosniffError` for unusable input.
    """
    from eiosniff.decode.stack import Stack

    sessions = 0
    for path in captures:
        decoded: list[DecodedPacket] = []
        stack = Stack(CaptureSummary(_name(path)), decoded.append, ports=options.ports, path=options.path)
        empty = True
        for _ in _read(stack, path, options, progress):
            empty = empty and not decoded
            for packet in decoded:
                packet.capture = stack.summary.file
                packet.capture_began_ns = stack.summary.first_ns or 0
                if packet.session is not None:
                    packet.session += sessions
                if selection is None or selection.takes(packet):
                    yield packet
            decoded.clear()
        sessions += stack.sessions.total
        if warn is not None:
            for problem in stack.summary.problems:
                warn(f"{stack.summary.file}: {problem.text}")
            for crash in stack.crashes:
                warn(f"{stack.summary.file}: a part of eiosniff failed, packets are missing; please report it: {crash}")
            if empty:
                chosen = " of the chosen ports and path" if options.ports or options.path else ""
                warn(f"{stack.summary.file}: no Engine.IO packet{chosen} was found; `eiosniff analyze` may say why")


def rules(rule_files: Sequence[str] = ()) -> list[RuleInfo]:
    """All rules, by code: those of eiosniff, of installed packages, and of these Python files, which are run.

    Raises `EiosniffError` for a file, a package or a rule in it that cannot be used.
    """
    return [rule.info() for rule in registry.with_others(rule_files)]
