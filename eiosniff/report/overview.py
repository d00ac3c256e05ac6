"""The text report when there is no fault to show: that all is well, or what was there instead of Engine.IO."""

from rich.text import Text

from eiosniff.model.finding import Report, Severity
from eiosniff.model.unread import UnreadKind
from eiosniff.report.figures import counted, duration
from eiosniff.report.layout import Page
from eiosniff.report.redact import Redactor
from eiosniff.report.wording import versions

# Rules about the capture and about encryption speak when there is no Engine.IO to be seen, too.
_NOT_ABOUT_ENGINEIO = ("CAP", "TLS", "INT")
# Rules that say what to do.
_ABOUT_ENCRYPTION = {"encrypted-without-keys", "not-decoded"}
_KEYS_AT_HAND = "undecrypted"
_ANOTHER_HAR = (
    "Open the Network panel before the page loads, let it run until the fault has shown itself, and export without a "
    "filter in the panel: what it hides is not in the HAR."
)
_NAMES = 3  # of servers, in a line


def sessions(report: Report) -> str:
    """How many sessions there are, and of what."""
    if not report.sessions_total:
        return "no Socket.IO session"
    with_socketio = any(versions(session)[1] for session in report.sessions)
    return counted(report.sessions_total, f"{'Socket' if with_socketio else 'Engine'}.IO session")


def nothing_there(report: Report) -> bool:
    """Whether the captures hold no Engine.IO at all, not even a refused handshake."""
    asked = report.sessions_total or any(capture.engineio_connections for capture in report.captures)
    return not asked and all(diagnosis.finding.rule.startswith(_NOT_ABOUT_ENGINEIO) for diagnosis in report.diagnoses)


def only_infos(report: Report) -> bool:
    """Whether all that was found in the sessions is good to know, and no fault."""
    found = (diagnosis.finding.severity for diagnosis in report.diagnoses)
    return bool(report.diagnoses and report.sessions_total) and max(found) is Severity.INFO


def unread(report: Report, redactor: Redactor) -> list[str]:
    """What else the captures hold and is not read, in a line for each kind."""
    names: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for capture in report.captures:
        for group in capture.encrypted:
            name = redactor.shown(group.name or str(group.server), 80)
            if group.connections > group.decrypted:
                names[name] = names.get(name, 0) + group.connections - group.decrypted
        for entry in capture.unread:
            words = f"{entry.kind.value} {entry.detail}" if entry.kind is UnreadKind.LINK else entry.kind.value
            kinds[words] = kinds.get(words, 0) + entry.count
    lines = []
    encrypted = sum(capture.encrypted_connections for capture in report.captures)
    encrypted -= sum(group.decrypted for capture in report.captures for group in capture.encrypted)
    if encrypted:
        most = sorted(names, key=lambda name: -names[name])
        more = f" and {len(most) - _NAMES} more" if len(most) > _NAMES else ""
        lines.append(f"Encrypted, not read: {counted(encrypted, 'TLS connection')} to {', '.join(most[:_NAMES])}{more}")
    if kinds:
        lines.append("Not decoded: " + ", ".join(f"{redactor.shown(kind)} ({kinds[kind]:,})" for kind in kinds))
    return lines


def write_healthy(report: Report, page: Page, selected_rules: bool) -> None:
    """Nothing was found that is a fault, and what that is worth: what was looked at."""
    if not report.sessions_total:
        where = "the HAR" if _only_hars(report) else "Wireshark"
        asked = counted(sum(capture.engineio_connections for capture in report.captures), "connection")
        page.paragraph(
            f"No rule finds a fault, but no Socket.IO session was opened either: {asked} asked for one, and got none "
            f"within the capture. Look at the answers in {where}, at the server's log, or capture for longer."
        )
        return
    rules = " by the selected rules" if selected_rules else ""
    if report.diagnoses:
        verdict = f"No error and no warning{rules}: {sessions(report)}."
    else:
        healthy = "" if selected_rules else ", healthy" if report.sessions_total == 1 else ", all healthy"
        if healthy and any(capture.problems for capture in report.captures):
            healthy += " as far as the capture shows"
        verdict = f"No fault found{rules}: {sessions(report)}{healthy}."
    page.paragraph(Text(verdict, style="bold"))
    totals = report.totals
    slowest = f" (the slowest answered after {duration(totals.slowest_ns)})" if totals.heartbeats else ""
    seen = [
        counted(report.connections, "connection"),
        counted(totals.engineio, "Engine.IO packet"),
        counted(totals.socketio, "Socket.IO packet"),
        counted(totals.heartbeats, "heartbeat") + slowest,
    ]
    page.paragraph(f"Looked at {', '.join(seen[:-1])} and {seen[-1]}.")


def write_what_was_there(report: Report, page: Page, redactor: Redactor) -> None:
    """No Engine.IO: what the captures hold instead, and how to get one that helps."""
    total = sum(capture.packets for capture in report.captures)
    page.paragraph(Text("No Engine.IO and no Socket.IO was found.", style="bold"))
    page.line()
    found: dict[str, int] = {}
    for capture in report.captures:
        for words, number in capture.other.items():
            found[words] = found.get(words, 0) + number
    connections = sum(capture.connections for capture in report.captures)
    kinds = "".join(f"; {redactor.shown(words, 80)}: {number:,}" for words, number in found.items())
    lead = Text.assemble("  ", ("Found  ", "bold"))
    if _only_hars(report):
        page.paragraph(f"{counted(total, 'entry', 'entries')}{kinds}", lead=lead)
        steps = [_ANOTHER_HAR]
    else:
        page.paragraph(f"{counted(total, 'packet')}, {counted(connections, 'TCP connection')}{kinds}", lead=lead)
        encrypted = any("TLS" in words or "QUIC" in words for words in found)
        names = {diagnosis.finding.name for diagnosis in report.diagnoses}
        said = not names.isdisjoint(_ABOUT_ENCRYPTION)
        # Who has keys knows that it is there.
        steps = [] if _KEYS_AT_HAND in names else _advice(empty=not total, encrypted=encrypted, said=said)
    if report.narrowed:
        steps.insert(0, f"Leave out {redactor.shown(report.narrowed)}: nothing else was looked at.")
    for at, step in enumerate(steps):
        count = f"{at + 1}. " if len(steps) > 1 else ""
        page.paragraph(step, lead=Text.assemble("  ", ("       " if at else "Try    ", "bold"), count))


def _only_hars(report: Report) -> bool:
    return all(capture.is_har for capture in report.captures)


def _advice(*, empty: bool, encrypted: bool, said: bool) -> list[str]:
    """What to try; `said`: a diagnosis has told what to do about encryption."""
    interface = (
        "Capture on the interface and port that the Socket.IO server really uses: the loopback interface when client "
        "and server are on one machine, the port behind the proxy when there is one."
    )
    encryption = (
        "Encrypted traffic (https://, wss://) shows nothing without its keys: capture where it is plain, such as "
        "between the proxy that ends TLS and the server."
    )
    start = "Start the capture before the client connects: what a connection is shows at its beginning."
    whole = "Capture whole packets (tcpdump -s 0), and both directions."
    if empty:
        return [f"The capture holds no packet. {interface}", start]
    if said:
        return [interface]
    return [encryption, interface, start, whole] if encrypted else [interface, start, encryption, whole]
