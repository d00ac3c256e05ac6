"""Names, protocols, alerts and datagrams are those that tshark sees, in every recording with TLS or QUIC."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import UnreadKind
from tests.streams import RECORDED

# Numbers of fatal alerts (RFC 8446, appendix B.2; RFC 7301, section 3.2), as eiosniff names them.
_ALERTS = {"client: unknown_ca": "48", "server: no_application_protocol": "120"}
FILES = [*sorted((RECORDED / "encrypted").glob("*.pcap")), RECORDED / "near_miss" / "no-engineio.pcap"]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]


def of_tshark(path: Path, display_filter: str, *fields: str) -> list[tuple[str, ...]]:
    words = [word for field in fields for word in ("-e", field)]
    argv = ["tshark", "-n", "-r", str(path), "-Y", display_filter, "-T", "fields", *words]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [tuple(line.split("\t")) for line in lines]


def summary_of(path: Path) -> CaptureSummary:
    stack = Stack(CaptureSummary(path.name))
    with open_source(str(path)) as source:
        for batch in source.batches():
            stack.feed(batch)
    stack.close()
    return stack.summary


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_hellos(path: Path) -> None:
    fields = ("ip.dst", "tcp.dstport", "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str")
    theirs = Counter(of_tshark(path, "tcp && tls.handshake.type == 1", *fields))
    ours: Counter[tuple[str, ...]] = Counter()
    for entry in summary_of(path).encrypted:
        key = (entry.server.address, str(entry.server.port), entry.name or "", ",".join(entry.alpn))
        ours[key] += entry.connections
    assert ours == Counter({(*key[:3], _without_grease(key[3])): count for key, count in theirs.items()})


def _without_grease(names: str) -> str:
    return ",".join(name for name in names.split(",") if not (len(name) == 2 and name[0] == name[1]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_answers(path: Path) -> None:
    fields = (
        "tls.handshake.version",
        "tls.handshake.extensions.supported_version",
        "tls.handshake.extensions_alpn_str",
    )
    theirs: Counter[str] = Counter()
    for legacy, version, protocol in of_tshark(path, "tcp && tls.handshake.type == 2", *fields):
        theirs["TLS 1.3" if version == "0x0304" else {"0x0303": "TLS 1.2"}[legacy]] += 1
        if protocol and not version:
            theirs[protocol] += 1
    ours: Counter[str] = Counter()
    for entry in summary_of(path).encrypted:
        ours.update(entry.versions)
        ours.update(entry.chosen)
    assert ours == theirs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_alerts(path: Path) -> None:
    theirs = Counter(row[0] for row in of_tshark(path, "tls.alert_message.level == 2", "tls.alert_message.desc"))
    ours: Counter[str] = Counter()
    for entry in summary_of(path).encrypted:
        for alert, count in entry.alerts.items():
            ours[_ALERTS[alert]] += count
    assert ours == theirs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_datagrams(path: Path) -> None:
    theirs = len(of_tshark(path, "quic", "frame.number"))
    assert sum(entry.count for entry in summary_of(path).unread if entry.kind is UnreadKind.QUIC) == theirs
