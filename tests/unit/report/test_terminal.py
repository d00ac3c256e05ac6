import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Report, Severity
from eiosniff.model.peers import Identity
from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef, Side
from eiosniff.model.session import CloseHow, Closing
from eiosniff.model.summary import CaptureProblem
from eiosniff.model.unread import Encrypted, Unread, UnreadKind
from eiosniff.report import terminal
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import START, capture, evidence, finding, healthy, loop, nothing, report, session

GOLDEN = Path(__file__).parent / "golden"


def rendered(
    made: Report,
    width: int = 80,
    color: Literal["standard"] | None = None,
    write: Callable[..., None] = terminal.write,
    **options: bool | str | int | None,
) -> str:
    written = io.StringIO()
    console = Console(
        file=written, width=width, color_system=color, force_terminal=color is not None, legacy_windows=False,
        _environ={},
    )  # fmt: skip
    write(made, console, Redactor(), **options)
    return written.getvalue()


def many() -> Report:
    """Long evidence, doubt, two captures, several diagnoses, many sessions of different kinds."""
    polling = [session(index, transports=[Transport.POLLING, Transport.WEBSOCKET]) for index in range(5, 12)]
    for each in polling:
        each.client_endpoint = Endpoint("2001:db8::7", each.client_endpoint.port)
        each.client.identity = None
        each.server.identity = Identity("python", "python-engineio")
        each.closing = Closing(Side.CLIENT, CloseHow.RST, PacketRef(99, START + 10**13))
    polling[0].midstream = True
    doubtful = finding(
        certainty=Certainty.LIKELY, doubt="the capture began after the connection did.", evidence=evidence(40),
        severity=Severity.WARNING, capture="b.pcapng.gz", fix=["There is only one thing to do."], period_ns=None,
        occurrences=1,
    )  # fmt: skip
    note = loop(severity=Severity.INFO, capture="a.pcap", evidence=[Evidence(0, 0, "", "as a whole")], why="")
    return report(
        captures=[
            capture("a.pcap"),
            capture(
                "b.pcapng.gz", problems=[CaptureProblem("capture-truncated", "the file ends within a record", 156)],
                set_aside_packets=12_000, set_aside_bytes=3_456_789,
            ),
        ],
        sessions=[*(session(index) for index in range(1, 5)), *polling, *(session(index) for index in range(12, 40))],
        diagnoses=[Diagnosis(doubtful, [loop(), loop(name="no-backoff", hence="Twice a second.")]), Diagnosis(note)],
        sessions_total=1_250,
        sessions_folded=1_211,
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("fault", report),
        ("many", many),
        ("healthy", healthy),
        ("nothing", nothing),
        ("empty", lambda: nothing(packets=0, connections=0, other={}, first_ns=None, last_ns=None)),
    ],
)
def test_the_face(name: str, made: Callable[[], Report], width: int) -> None:
    """Compared with what was looked at by eye; EIOSNIFF_GOLDEN=write writes the files anew, to be reviewed."""
    text = rendered(made(), width)
    golden = GOLDEN / f"{name}-{width}.txt"
    if os.environ.get("EIOSNIFF_GOLDEN") == "write":
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("made", [report, many, healthy, nothing])
@pytest.mark.parametrize("width", [80, 100, 300])
def test_no_line_is_too_wide_or_ends_in_spaces(made: Callable[[], Report], width: int) -> None:
    for line in rendered(made(), width).split("\n"):
        assert cell_len(line) <= min(width, 120)
        assert line == line.rstrip()


def test_colours_only_repeat_what_the_words_say() -> None:
    plain = rendered(many())
    coloured = rendered(many(), color="standard")
    assert "\x1b[1;33mWARNING" in coloured
    assert "\x1b" not in plain


@given(st.text(st.characters()))
def test_nothing_from_the_wire_reaches_the_terminal_unescaped(text: str) -> None:
    hostile = finding(
        title=text, summary=text, why=text, fix=[text], doubt=text, certainty=Certainty.POSSIBLE, capture=text,
        evidence=[Evidence(1, START, text, text)],
    )  # fmt: skip
    odd = session(sid=text, closing=Closing(Side.SERVER, CloseHow.WS_CLOSE, PacketRef(9, START), 1000, text))
    odd.client.identity = Identity(text, text, text)
    made = report(
        captures=[capture(text, problems=[CaptureProblem(text, text, 1)], other={text: 1})],
        sessions=[odd], diagnoses=[Diagnosis(hostile, [loop(summary=text)])],
    )  # fmt: skip
    for write in (terminal.write, terminal.write_headlines):
        for width in (80, 120):
            assert all(line.isprintable() for line in rendered(made, width, write=write).split("\n"))
    made.sessions_total, made.diagnoses = 0, []
    assert all(line.isprintable() for line in rendered(made).split("\n"))


def test_secrets_do_not_show() -> None:
    leaky = report(diagnoses=[Diagnosis(finding(evidence=[Evidence(1, START, "client", "GET /?token=s3cr3t5")]))])
    assert "token=[redacted]" in rendered(leaky)


def test_headlines() -> None:
    assert rendered(report(), write=terminal.write_headlines) == (
        "ERROR EIO038 client-ping-in-eio4: The client sends PING, which only the server may do in Engine.IO 4 "
        "(3 times)\n"
    )
    assert rendered(healthy(), write=terminal.write_headlines) == ""
    assert rendered(many(), write=terminal.write_headlines).startswith("b.pcapng.gz: WARNING EIO038 ")


def test_selected_rules_do_not_promise_health() -> None:
    text = rendered(healthy(), selected_rules=True)
    assert "No fault found by the selected rules: 4 Socket.IO sessions." in text
    assert "healthy" not in text


def test_the_configuration_and_how_to_show_a_rule_come_last() -> None:
    text = rendered(report(), configuration="a\x1b.toml (ignore)", show_rule="eiosniff rules show --rules x.py")
    assert text.endswith("\n\nConfiguration: a\\x1b.toml (ignore)\n\nMore: eiosniff rules show --rules x.py EIO038\n")
    assert rendered(healthy(), configuration="setup.cfg (select)").endswith("\n\nConfiguration: setup.cfg (select)\n")
    assert "\x1b[2mConfiguration: x\x1b[0m" in rendered(report(), color="standard", configuration="x")


def test_nothing_more_is_to_be_shown_of_what_failed() -> None:
    made = report(diagnoses=[Diagnosis(finding(rule="INT001")), Diagnosis(loop())])
    assert rendered(made).endswith("\nMore: eiosniff rules show EIO089\n")
    assert "More:" not in rendered(report(diagnoses=[Diagnosis(finding(rule="INT001"))]))


def test_a_damaged_capture_limits_the_promise() -> None:
    made = healthy()
    made.captures[0].problems.append(CaptureProblem("capture-gap", "packets are missing", 0))
    text = rendered(made)
    assert "all healthy as far as the capture shows" in text
    assert "Summary  The capture itself: packets are missing\n" in text


def test_one_session_without_socketio() -> None:
    made = healthy()
    del made.sessions[1:]
    made.sessions[0].socketio_counts = [{}, {}]
    made.sessions_total = 1
    assert "No fault found: 1 Engine.IO session, healthy." in rendered(made)


def test_a_session_of_socketio_09() -> None:
    old = session(
        socketio09=True, claimed_eio=None, revisions=[None, None], engineio_counts=[{}, {}],
        socketio_counts=[{"EVENT": 2}, {"CONNECT": 1}],
    )  # fmt: skip
    shown = rendered(report(sessions=[old], diagnoses=[], sessions_total=1))
    (row,) = [line for line in shown.splitlines() if line.split()[:1] == ["s1"]]
    assert row.split()[2:5] == ["-/0.9", "websocket", "20.0"]
    assert row.split()[6] == "3"
    assert "1 Socket.IO session" in shown


def test_a_refused_handshake_is_a_fault_without_a_session() -> None:
    text = rendered(report(sessions=[], sessions_total=0))
    assert "no Socket.IO session" in text
    assert "No Engine.IO" not in text
    assert "Sessions" not in text
    assert "Summary  1 error on 4 connections\n" in text


def test_a_handshake_that_came_to_nothing_without_a_fault() -> None:
    made = nothing()
    made.diagnoses = [Diagnosis(finding(rule="CAP227"))]
    assert "No Engine.IO and no Socket.IO was found." in rendered(made)


def test_what_is_not_read_beside_the_sessions() -> None:
    server = Endpoint("10.0.0.9", 443)
    names = ["a.example", "b.example\x1b[2J", None, "c.example", "d.example"]
    encrypted = [Encrypted(server, name, (), True, NO_PACKET, at) for at, name in enumerate(names, 1)]
    unread = [
        Unread(UnreadKind.QUIC, server, count=3_400),
        Unread(UnreadKind.QUIC, Endpoint("10.0.0.8", 443), count=10),
        Unread(UnreadKind.LINK, None, count=7, detail="USER0"),
    ]
    summary = capture(encrypted=encrypted, encrypted_connections=16, unread=unread)
    text = rendered(report(captures=[summary]), width=120)
    assert "Encrypted, not read: 16 TLS connections to d.example, c.example, 10.0.0.9:443 and 2 more\n" in text
    assert "Not decoded: QUIC (3,410), link type USER0 (7)\n" in text
    assert "\x1b" not in rendered(report(captures=[capture(encrypted=encrypted[1:2], encrypted_connections=2)]))


def test_captures_of_the_same_name_are_told_apart() -> None:
    text = rendered(report(captures=[capture("x/a.pcap"), capture("y/a.pcap")]))
    assert "x/a.pcap   156 packets" in text


def test_a_long_remark_does_not_push_the_proof_out_of_the_page() -> None:
    wide = finding(evidence=[Evidence(1, START, "client", "x" * 44), Evidence(2, START + 1, "server", "y" * 44)])
    text = rendered(report(diagnoses=[Diagnosis(wide)]))
    assert "(<0.1 ms" in text
    assert all(cell_len(line) <= 80 for line in text.split("\n"))


def test_how_much_later_stands_in_a_column_of_its_own() -> None:
    proof = [
        Evidence(1, START, "client", "PING"),
        Evidence(2, START + 900_000_000, "server", "closes, no status code, 0.9 s later"),
        Evidence(3, START + 900_000_001, "server", "FIN"),
    ]
    text = rendered(report(diagnoses=[Diagnosis(finding(evidence=proof))]))
    assert "server  closes, no status code  0.9 s later\n" in text
    assert "server  FIN\n" in text


def test_a_handshake_that_no_rule_speaks_of_is_not_nothing() -> None:
    asked = capture(engineio_connections=2)
    text = rendered(report(captures=[asked], sessions=[], sessions_total=0, diagnoses=[]))
    assert "No Engine.IO" not in text
    assert "no Socket.IO session was opened" in text


def test_the_verdict_comes_first_and_then_what_is_only_good_to_know() -> None:
    lines = rendered(report(diagnoses=[Diagnosis(finding(severity=Severity.INFO))])).splitlines()
    verdict = next(at for at, line in enumerate(lines) if line.startswith("No error and no warning: "))
    note = next(at for at, line in enumerate(lines) if line.startswith("INFO"))
    assert verdict < note
    assert not any(line.startswith("No error") for line in rendered(report()).splitlines())


def named(count: int, **changes: Any) -> list[Diagnosis]:
    return [
        Diagnosis(finding(name=f"fault-{at}", title=f"Fault {at} happens", sessions=[], **changes))
        for at in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    ("diagnoses", "limit", "explained", "brief"),
    [
        (named(7), None, 5, 2),
        (named(7), 6, 6, 1),
        (named(7), 0, 0, 7),
        (named(2, severity=Severity.WARNING) + named(4, severity=Severity.INFO), None, 2, 4),
        (named(4, severity=Severity.INFO), None, 1, 3),
        (named(4, severity=Severity.INFO), 9, 4, 0),
    ],
    ids=["many faults", "six wanted", "none wanted", "faults and notes", "only notes", "all notes wanted"],
)
def test_so_many_are_explained_and_the_others_get_a_line(
    diagnoses: list[Diagnosis], limit: int | None, explained: int, brief: int
) -> None:
    text = rendered(report(diagnoses=diagnoses), limit=limit)
    assert text.count("  Fix ") == explained
    assert text.count("  Why ") == (0 if limit is None and explained == 1 else explained)  # what is no fault, is brief
    assert len(re.findall(r"^  (?:ERROR|WARNING|INFO) +Fault \d happens", text, re.M)) == brief
    assert (f"--limit {len(diagnoses)} explains all" in text) is (brief > 0)


def test_where_nobody_can_ask_again_more_is_explained_and_no_option_is_named() -> None:
    text = rendered(report(diagnoses=named(8)), again=False)
    assert text.count("  Why ") == 8
    text = rendered(report(diagnoses=named(25)), again=False)
    assert text.count("  Why ") == 20
    assert "Also" in text
    assert "--limit" not in text


def test_what_no_packet_proves_names_none() -> None:
    note = finding(severity=Severity.INFO, evidence=[Evidence(0, 0, "", "as a whole")])
    assert "Wireshark" not in rendered(report(diagnoses=[Diagnosis(note)]))


def test_the_same_of_several_servers_is_one_line() -> None:
    alike = [Diagnosis(finding(servers=[f"10.0.0.{at}:3000"], occurrences=2)) for at in range(4)]
    text = " ".join(rendered(report(diagnoses=alike), limit=1).split())
    assert "(client-ping-in-eio4, EIO038, 6 times, at 3 servers)" in text


def test_of_many_sessions_those_with_a_fault_are_listed_and_all_are_counted_by_kind() -> None:
    sessions = [session(index) for index in range(1, 41)]
    for each in sessions[20:]:
        each.closing = None
        each.client_endpoint = Endpoint(f"10.0.0.{each.index}", 1)
    text = rendered(report(sessions=sessions, diagnoses=[Diagnosis(finding(sessions=sessions[:8]))], sessions_total=40))
    assert re.findall(r"^    s(\d+)", text, re.M) == ["1", "2", "3", "4", "5"]
    assert "    ... and 3 more that a fault concerns; all, by kind:\n" in text
    assert "  21 clients (arduinoWebSockets older than 2.3.3) → 127.0.0.1:28954" in text
    row = next(line for line in text.splitlines() if line.startswith("          40  4/5"))
    assert row.endswith("server, WS close 20, still")  # the last column is wrapped


def test_a_session_id_is_not_cut_in_two_by_the_margin() -> None:
    target = "/socket.io/?EIO=4&transport=websocket&sid=OXpuGlj9AtkOk5SDAAAA"
    text = rendered(report(diagnoses=[Diagnosis(finding(evidence=[Evidence(1, START, "client", f"GET {target}")]))]))
    assert "GET /socket.io/?EIO=4&transport=websocket&\n" in text
    assert " sid=OXpuGlj9AtkOk5SDAAAA\n" in text
    wide = rendered(report(diagnoses=[Diagnosis(finding(evidence=[Evidence(1, START, "client", "GET /" + "x" * 99)]))]))
    assert all(cell_len(line) <= 80 for line in wide.split("\n"))
    assert wide.count("x") >= 99


def test_what_happens_at_one_instant_has_no_period() -> None:
    assert "2 times, every 20.5 s" in rendered(report(diagnoses=[Diagnosis(finding(occurrences=2))]))
    assert "every" not in rendered(report(diagnoses=[Diagnosis(finding(occurrences=2, period_ns=0))]))
