"""What is said of a running capture is what `analyze` would say if it ended there."""

from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.live.judgement import Judgement, Judging
from eiosniff.model.batch import PacketBatch
from eiosniff.model.finding import Diagnosis
from tests.streams import RECORDED

SEED = RECORDED / "arduino/s3-arduino-old-eio4-to-v484.pcap"
POLLING = RECORDED / "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz"


def judged(judging: Judging, analysis: app.Analysis, now_ns: int) -> Judgement:
    judging.start(analysis, now_ns)
    while (judgement := judging.take(analysis)) is None:
        pass
    return judgement


def told(diagnoses: list[Diagnosis]) -> list[object]:
    return [
        (
            finding.rule, finding.certainty, finding.severity, finding.occurrences, finding.title, finding.summary,
            finding.fix, finding.evidence, finding.clients, finding.servers, finding.subjects, finding.doubt,
            [session.index for session in finding.sessions],
        )
        for diagnosis in diagnoses
        for finding in (diagnosis.finding, *diagnosis.consequences)
    ]  # fmt: skip


def batches(path: Path, size: int) -> list[PacketBatch]:
    with open_source(str(path), batch_size=size) as source:
        return list(source.batches())


@pytest.mark.parametrize("path", [SEED, POLLING], ids=["faulty", "healthy"])
def test_each_judgement_is_that_of_the_capture_cut_there(path: Path) -> None:
    options = app.Options()
    rules = app.chosen_rules(options)
    running, judging = app.Analysis("x", options, rules), Judging(options, rules)
    fed: list[PacketBatch] = []
    for batch in batches(path, 20):
        fed.append(batch)
        running.stack.feed(batch)
        running.fold()
        now_ns = int(batch.ts_ns[-1])
        judgement = judged(judging, running, now_ns)

        cut = app.Analysis("x", options, rules)
        for each in fed:
            cut.stack.feed(each)
        cut.summary.last_ns = now_ns
        cut.close()
        writer = app.ReportWriter(options, rules)
        writer.add(cut)
        assert told(judgement.diagnoses) == told(writer.report().diagnoses)
        assert judgement.at_ns == now_ns
        assert not judgement.crashed


def test_findings_name_the_sessions_of_the_running_analysis_and_their_libraries_are_known_there() -> None:
    options = app.Options()
    rules = app.chosen_rules(options)
    running, judging = app.Analysis("x", options, rules), Judging(options, rules)
    for batch in batches(SEED, 1000):
        running.stack.feed(batch)
    judgement = judged(judging, running, int(batch.ts_ns[-1]))
    finding = judgement.diagnoses[0].finding
    assert finding.rule == "EIO038"
    kept = running.stack.sessions.sessions
    assert finding.sessions
    assert all(any(session is other for other in kept) for session in finding.sessions)
    assert str(kept[0].client.identity) == "arduinoWebSockets older than 2.3.3"
    assert str(kept[0].server.identity).startswith("socket.io 4.")
