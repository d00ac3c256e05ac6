"""What a capture lacks: rules on what did not come say nothing where it may only not have been captured."""

from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from tests.cases import RECORDED
from tests.streams import split
from tests.unit.decode.talk_sessions import JOINED, POLLING, UPGRADED, WEBSOCKET, Talk, played

LATE = "+ 10\nw< close\nw< FIN\nw> FIN"


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (f'{WEBSOCKET}\nw> 40\n#w> 42["a"]\n+ 30\nw< 2\nw> 3', "event-before-connect"),
        (f'{WEBSOCKET}\n{JOINED}\nw> 451-["f",{{"_placeholder":true,"num":0}}]\n#w> 42["a"]', "binary-incomplete"),
        (f"{POLLING}\nw> WS EIO=4&transport=websocket&sid=S\nw< 101\n#w> 5", "upgrade-without-probe"),
        (UPGRADED.removesuffix("\nw> 5") + f"\n#{LATE}", "upgrade-incomplete"),
    ],
)
def test_what_may_be_among_the_missing_bytes_is_not_missed(script: str, name: str) -> None:
    for side in ("client", "server"):
        whole, lossy = script.replace("#", ""), script.replace("#", f"w! {side}\n")
        assert played(whole).found(name)
        assert played(lossy).found(name) is None


def test_an_event_at_which_the_server_hangs_up_came_too_early_whatever_is_missing() -> None:
    early = f'{WEBSOCKET}\nw> 40\nw! server\nw> 42["a"]\nw< close\nw< FIN\nw> FIN'
    assert played(early).found("event-before-connect")


def test_an_id_in_the_reply_shows_revision_4_though_the_question_is_missing() -> None:
    session = played(f'{WEBSOCKET}\nw! client\nw< 40{{"sid":"x"}}\n+ 25\nw< 2\nw> 3').session
    assert session.engineio == 4
    assert not [name for name in played(f'{WEBSOCKET}\nw! client\nw< 40{{"sid":"x"}}').names() if "v2" in name]


@pytest.mark.parametrize(
    ("recording", "lost"),
    [
        ("variants/msgpack--node-4.8.4--node-4.8.4--websocket.pcap", 6),  # the 101: what follows is in no text frame
        ("variants/old--node-1.0.6--node-1.0.6--websocket.pcap", 8),  # the open packet
        ("libraries/socket.io-2.5.1--go-socket.io-archived--polling.pcap", 6),  # the answer to the handshake
        ("libraries/socket.io-4.8.4--socket.io-client-java-2.1.1--upgrade.pcap", 18),  # an answer to a poll
    ],
)
def test_a_healthy_recording_that_lacks_one_packet_has_no_faults(recording: str, lost: int, tmp_path: Path) -> None:
    head, records = split((RECORDED / recording).read_bytes())
    capture = tmp_path / "lossy.pcap"
    capture.write_bytes(b"".join([head, *records[: lost - 1], *records[lost:]]))
    report = app.analyze([str(capture)], app.Options())
    faults = [diagnosis.finding.name for diagnosis in report.diagnoses if diagnosis.finding.severity.label != "info"]
    assert not faults


def test_a_capture_that_ends_early_does_not_show_that_a_confirmation_was_in_vain() -> None:
    confirmed = f"{POLLING}\nw> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 5"
    for end, severity in (("+ 1", Severity.INFO), ("+ 6", Severity.WARNING), ("w< close 1000", Severity.WARNING)):
        finding = played(f"{confirmed}\n{end}").found("upgrade-without-probe")
        assert finding is not None
        assert finding.severity is severity


def test_an_empty_binary_message_may_have_a_type_or_none_where_nothing_tells() -> None:
    talk = Talk()
    talk.connect("w", midstream=True)
    talk.play('w> 42["a"]\nw> hex:\nw< 2\nw> 3').close()
    assert talk.session.odd[Side.CLIENT]
    assert talk.found("engineio-syntax") is None
