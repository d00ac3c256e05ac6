"""What the options and the rest of a capture change about what is said of encrypted traffic."""

from pathlib import Path

from eiosniff import app
from eiosniff.model.finding import Severity
from tests.cases import RECORDED
from tests.unit.capture.blocks import enhanced, interface, section

ENCRYPTED = RECORDED / "encrypted"


def names(capture: Path, **options: object) -> list[tuple[str, Severity]]:
    report = app.analyze([str(capture)], app.Options(**options))  # type: ignore[arg-type]
    return [(diagnosis.finding.name, diagnosis.finding.severity) for diagnosis in report.diagnoses]


def test_only_chosen_ports_count() -> None:
    loud = [("encrypted-without-keys", Severity.WARNING)]
    assert names(ENCRYPTED / "wss-tls-1.3.pcap", ports=frozenset({3443})) == loud
    assert names(ENCRYPTED / "wss-tls-1.3.pcap", ports=frozenset({3000})) == []
    assert names(ENCRYPTED / "http3-get.pcap", ports=frozenset({3000})) == []
    assert names(ENCRYPTED / "mixed-session-in-clear-and-tls.pcap", ports=frozenset({443})) == loud


def test_what_is_under_another_path_is_not_what_was_asked_for() -> None:
    mixed = ENCRYPTED / "mixed-session-in-clear-and-tls.pcap"
    assert names(mixed, path="/socket.io/") == []
    assert names(mixed, path="/chat/") == [("encrypted-without-keys", Severity.WARNING)]


def test_packets_of_an_unknown_link_type_beside_others(tmp_path: Path) -> None:
    capture = tmp_path / "mixed.pcapng"
    interfaces = interface() + interface(link_type=147)
    capture.write_bytes(section() + interfaces + enhanced(bytes(60)) + enhanced(b"private", number=1))
    assert names(capture) == [("not-decoded", Severity.WARNING)]
