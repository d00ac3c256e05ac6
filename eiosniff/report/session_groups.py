"""Many sessions in the text report: a line for all that are alike, under each kind of client and its server."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.text import Text

from eiosniff.model.session import Session
from eiosniff.report.figures import counted, duration
from eiosniff.report.layout import Column, Page, Row
from eiosniff.report.redact import Redactor
from eiosniff.report.wording import end_words, lasted_ns, library, packets_of, revisions, transports

_MAX_GROUPS = 8
_MAX_ENDS = 2  # ways to end that a line names
_MAX_TEXT = 60

_COLUMNS = (
    Column("sessions", right=True),
    Column("EIO/SIO"),
    Column("transports"),
    Column("lasted", right=True, least=7),
    Column("packets", right=True),
    Column("ended by"),
)

_Peers = tuple[str, str, str]


@dataclass(slots=True)
class _Group:
    """Sessions of one kind: `lasted` in ns, `ends` how often each way."""

    sessions: int = 0
    packets: int = 0
    lasted: list[int] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, session: Session) -> None:
        self.sessions += 1
        self.packets += packets_of(session)
        self.lasted.append(lasted_ns(session))
        self.ends[end_words(session)] += 1

    @property
    def usual_ns(self) -> int:
        """The lower median of how long they lasted."""
        return sorted(self.lasted)[(len(self.lasted) - 1) // 2]

    @property
    def ended(self) -> str:
        """The commonest ways first; the others are counted."""
        named = self.ends.most_common(_MAX_ENDS)
        words = [f"{words} {count:,}" if len(self.ends) > 1 else words for words, count in named]
        others = self.ends.total() - sum(count for _, count in named)
        return ", ".join([*words, *([f"others {others:,}"] if others else [])])


def write_groups(sessions: Iterable[Session], page: Page, redactor: Redactor) -> None:
    """A line for each kind of session, the commonest kinds first."""
    groups: dict[_Peers, dict[tuple[str, str], _Group]] = {}
    addresses: dict[_Peers, set[str]] = {}
    for session in sessions:
        peers = library(session.client.identity), str(session.server.endpoint), library(session.server.identity)
        addresses.setdefault(peers, set()).add(session.client_endpoint.address)
        kind = revisions(session), transports(session)
        groups.setdefault(peers, {}).setdefault(kind, _Group()).add(session)
    kinds = [(peers, kind, group) for peers, of_peers in groups.items() for kind, group in of_peers.items()]
    kinds.sort(key=lambda entry: -entry[2].sessions)
    shown: dict[_Peers, list[Row]] = {}
    for peers, kind, group in kinds[:_MAX_GROUPS]:
        row = [f"{group.sessions:,}", *kind, duration(group.usual_ns), f"{group.packets:,}", group.ended]
        shown.setdefault(peers, [Text(_peers(peers, addresses[peers], redactor))]).append(row)
    page.table(_COLUMNS, [row for rows in shown.values() for row in rows], lead="    ")
    if len(kinds) > _MAX_GROUPS:
        left = sum(group.sessions for _, _, group in kinds[_MAX_GROUPS:])
        page.line(f"    ... and {left:,} more of {counted(len(kinds) - _MAX_GROUPS, 'other kind')}")


def _peers(peers: _Peers, addresses: set[str], redactor: Redactor) -> str:
    client, endpoint, server = peers
    clients = counted(len(addresses), "client") if len(addresses) > 1 else next(iter(addresses))
    return (
        f"{clients}{f' ({redactor.shown(client, _MAX_TEXT)})' if client else ''} → "
        f"{endpoint}{f' ({redactor.shown(server, _MAX_TEXT)})' if server else ''}"
    )
