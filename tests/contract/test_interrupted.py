"""Ctrl-C ends the reading: the report is of what was read until then."""

from eiosniff import app
from tests.streams import RECORDED


def test_the_report_tells_how_much_was_read() -> None:
    calls = 0

    def third(position: int, size: int | None) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    capture = str(next(RECORDED.glob("healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz")))
    report = app.analyze([capture], app.Options(batch_size=20), third)
    assert report.interrupted
    (summary,) = report.captures
    assert (summary.format, summary.link_types, summary.packets) == ("pcap (gzip)", ["ETHERNET"], 60)
    assert summary.bytes > 0
    assert summary.connections > 0
