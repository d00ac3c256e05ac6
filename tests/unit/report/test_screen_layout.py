import re
from datetime import UTC
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eiosniff.model.finding import Severity
from eiosniff.model.live import EventKind, LiveEvent, LiveView
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Beat
from eiosniff.report.screen.layout import draw, shares
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.state import FindingPage, HelpPage, Opened, Pane, RulePage, SessionPage, State
from tests.unit.report.live_views import MS, NOW, PLAIN, found, live, nothing, opened, picture, view
from tests.unit.report.test_screen_state import after

SIZES = [(80, 24), (200, 50), (60, 15), (79, 16), (150, 20), (99, 30)]
SGR = re.compile(r"\x1b\[[\d;]*m")


def styled(
    made: LiveView | None = None,
    keys: str = "",
    width: int = 80,
    height: int = 24,
    look: Look = PLAIN,
    **options: object,
) -> list[str]:
    """The lines of a screen after these keys, with their styles."""
    pictured = picture(made, look)
    frame = draw(pictured, after(keys, made=pictured), width, height, **options)  # type: ignore[arg-type]
    return frame.lines


def lines(*arguments: object, **options: object) -> list[str]:
    return words_of(styled(*arguments, **options))  # type: ignore[arg-type]


def words_of(drawn: list[str]) -> list[str]:
    return [SGR.sub("", line) for line in drawn]


def text(*arguments: object, **options: object) -> str:
    return "\n".join(lines(*arguments, **options))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("keys", ["", "\t", "\t\t", "/10", "/10\r", " ", "\r", "\rr", "\tj\r", "?", "?G"])
def test_every_screen_fits(width: int, height: int, keys: str) -> None:
    for made in (
        view(),
        nothing(),
        view(dropped=1_204, writing="writing to x.pcapng", state="waiting", note="eth0 is down"),
    ):
        for look in (PLAIN, Look(zone=UTC)):
            drawn = styled(made, keys, width, height, look)
            assert len(drawn) == height
            assert max(map(cell_len, words_of(drawn))) <= width
            assert not re.search(r"[\x00-\x1a\x1c-\x1f]|\x1b(?!\[[\d;]*m)", "".join(drawn))


def test_the_main_view() -> None:
    drawn = lines()
    assert drawn[0].startswith(" eth0 (dumpcap)  0:01:10  1,204 packets, 85/s  none dropped")
    assert drawn[0].endswith("18:09:26 ")
    assert drawn[1].startswith("▸ Diagnosis  1 error ─")
    assert drawn[2].startswith("> ERROR    The client sends PING")
    assert "certain, 3 times, last at 18:09:16, 127.0.0.1 → 127.0.0.1:28954" in drawn[3]
    assert "client-ping-in-eio4 (EIO038)" in drawn[4]
    assert "Fix: arduinoWebSockets: upgrade to 2.3.3" in drawn[5]
    assert "2.   Cannot upgrade?" in drawn[7]
    assert "└ so: 3 sessions of 20 s lost and opened again after 0.5 s" in drawn[9]
    assert drawn[11].startswith("─ Sessions  1 open, 4 in all")
    assert re.match(r"     s4 127.0.0.1:40004 arduino\S+ +4/5 ws +8.0 ms, 12 s ago .*open", drawn[13])
    assert re.match(r"  !! s3 127.0.0.1:40003 arduino\S+ +4/5 ws +.*by server", drawn[14])
    assert any(line.startswith("  18:08:16  s1 127.0.0.1:40001 opened over polling") for line in drawn)
    assert any(line.startswith("  18:08:36  ERROR  The client sends PING") for line in drawn)
    assert "? help" in drawn[-1]


def test_a_wide_screen_has_all_columns() -> None:
    drawn = text(view(), "", 300, 50)
    for words in (
        "client's library", "EIO/SIO", "transports", "ack", "packets", "age", "what is wrong", "socket.io 4.5 or later",
        "127.0.0.1:28954", "client-ping-in-eio4, connect-loop", "closed by server, WS close", "lv_VI97HAXpY6yYWAAAC",
        "8.0 ms, usually 8.0 ms, 12 s ago",
    ):  # fmt: skip
        assert words in drawn


def test_what_a_narrow_screen_leaves_out_is_told_of_the_selected_session() -> None:
    drawn = lines(view(), "\tj")
    at = next(at for at, line in enumerate(drawn) if line.startswith("> !! s3"))
    assert "library arduinoWebSockets older than 2.3.3, server 127.0.0.1:28954, socket" in drawn[at + 1]


def test_colours_only_repeat_words() -> None:
    for keys in ("", "\tj", "\r"):
        assert lines(keys=keys, look=Look(zone=UTC)) == lines(keys=keys, look=PLAIN)
        codes = set(SGR.findall("".join(styled(keys=keys, look=PLAIN))))
        assert codes <= {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[7m"}
    assert "\x1b[1;31m" in "".join(styled(look=Look(zone=UTC)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"packets": 0, "running_ns": 3_000 * MS}, "Waiting for the first packet."),
        ({"packets": 0}, "No packet yet. Is it the right interface?"),
        ({"connections": {"HTTP": 12}}, "No Socket.IO yet: 1,204 packets, 12 HTTP."),
        ({"connections": {"TLS (port 443)": 3}}, "What is in TLS cannot be read"),
        ({"sessions_total": 3, "sessions_open": 2}, "Nothing wrong so far: 3 sessions, 2 open."),
        ({"sessions_total": 1, "sessions_open": 1}, "Nothing wrong so far: 1 session, open."),
    ],
)
def test_without_findings_it_says_what_is_going_on(changes: dict[str, object], words: str) -> None:
    assert words in " ".join(text(nothing(**changes)).split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dropped": 0}, "none dropped"),
        ({"dropped": None}, "drops unknown"),
        ({"dropped": 1_204}, "1,204 DROPPED (50 %)"),
        ({"state": "waiting", "note": "eth0 is down"}, "WAITING: eth0 is down"),
        ({"writing": "writing to x.pcapng, 12 MB"}, "writing to x.pcapng, 12 MB"),
        ({"note": "the counters cannot be read"}, "the counters cannot be read"),
    ],
)
@pytest.mark.parametrize("width", [60, 80])
def test_what_is_out_of_the_ordinary_is_said_above(changes: dict[str, object], words: str, width: int) -> None:
    assert words in " ".join(lines(view(**changes), "", width)[:2])


def test_before_the_first_packet_there_is_no_time_of_day() -> None:
    drawn = lines(nothing(packets=0, started_ns=0, now_ns=0, running_ns=65_000 * MS))
    assert drawn[0].startswith(" eth0 (dumpcap)  0:01:05  0 packets")
    assert drawn[0].rstrip().endswith("none dropped")


def test_a_pause_and_a_filter_are_said() -> None:
    drawn = text(view(), "/40002\r ", news=3)
    assert "PAUSED at 18:09:26, 3 events since; space goes on" in drawn
    assert "filter: 40002" in drawn
    assert "s2 127.0.0.1:40002" in drawn
    assert "s3 127.0.0.1:40003" not in drawn
    assert "none of 4 matches" in text(view(), "/nowhere")


def test_what_there_is_room_for_is_not_cut() -> None:
    drawn = lines(view(sessions=[], sessions_total=0, events=[]), "", 80, 24)
    assert "…" not in "".join(drawn)
    assert sum(line.startswith("─ Sessions") for line in drawn) == 1
    at = next(at for at, line in enumerate(drawn) if line.startswith("─ Sessions"))
    assert drawn[at + 1].startswith("─ Newest events"), "nothing is kept free for sessions that are not there"


def test_what_to_do_stands_on_the_smallest_screen_too() -> None:
    assert any("Fix: arduinoWebSockets: upgrade" in line for line in lines(view(), "", 60, 15))


def test_of_many_findings_the_first_one_is_explained_before_the_others() -> None:
    many = [found(f"f{number}") for number in range(1, 8)]
    drawn = lines(view(findings=many))
    assert "client-ping" not in drawn[2]
    assert "certain, 3 times" in drawn[3]
    assert "it then only answers pings." in drawn[5], "its remedy in whole"
    assert sum(line[2:].startswith("ERROR") for line in drawn) == 7, "and each has a line"


def test_a_frozen_picture_stands_still() -> None:
    made = view()
    ledger, cause = made.sessions[0].session, made.findings[0]
    pictured = picture(made)
    pictured.freeze()
    before = draw(pictured, State(), 80, 24).lines
    opened_page = State(pages=(Opened(FindingPage(cause)),))
    ledger.heartbeats.last = None
    ledger.closing = made.sessions[1].session.closing
    cause.finding, cause.packet_ns = found(occurrences=9).finding, NOW
    assert draw(pictured, State(), 80, 24).lines == before
    assert "certain, 3 times" in "".join(draw(pictured, opened_page, 80, 24).lines)
    made.findings[0] = cause
    assert draw(picture(made), State(), 80, 24).lines != before


def test_while_the_filter_is_typed_the_cursor_is_behind_it() -> None:
    frame = draw(picture(), after("/10.0"), 80, 24)
    assert frame.cursor == (23, len(" Show only: 10.0"))
    assert words_of(frame.lines)[23].startswith(" Show only: 10.0")
    long = draw(picture(), after("/" + "x" * 90 + "end"), 60, 15)
    assert long.cursor is not None
    assert long.cursor[1] < 60
    assert words_of(long.lines)[14].rstrip().endswith("end")


def test_a_message_stands_in_the_place_of_the_keys() -> None:
    assert "a report is in x.txt" in lines(message="a report is in x.txt")[-1]


def test_a_terminal_that_is_too_small_gets_one_line() -> None:
    for width, height in ((59, 24), (80, 14), (10, 1), (1, 1)):
        drawn = lines(view(), "", width, height)
        assert len(drawn) == height
        assert len(drawn[0]) <= width
    assert lines(view(), "", 59, 24)[0] == "eiosniff needs 60x15, this is 59x24; it goes on"


def test_what_a_heartbeat_and_a_session_say() -> None:
    waiting = opened(1)
    waiting.heartbeats.pending = Beat(PacketRef(7, NOW - 3_200 * MS), Side.SERVER)
    silent = opened(2, last=PacketRef(8, NOW - 61_000 * MS))
    fresh = opened(3)
    fresh.heartbeats.last = None
    drawn = text(view(sessions=[live(waiting), live(silent), live(fresh)]), width=120)
    assert "ping waits 3.2 s" in drawn
    assert "open, silent 61 s" in drawn
    assert "none yet" in drawn


def test_the_selected_row_is_always_in_sight() -> None:
    many = view(sessions=[live(opened(index)) for index in range(300, 0, -1)], sessions_total=300, sessions_open=300)
    for downs in (0, 3, 50, 299, 400):
        drawn = lines(many, "\t" + "j" * downs)
        assert sum(line.startswith("> ") for line in drawn) == 1
    assert "291-300 of 300" in text(many, "\tG", 80, 33) or "of 300" in text(many, "\tG")


def test_a_page_scrolls_and_stops_at_its_ends() -> None:
    pictured = picture()
    frame = draw(pictured, State(pages=(Opened(RulePage("EIO038"), 10_000),)), 80, 24)
    assert frame.state.pages[0].top < 200
    assert draw(pictured, frame.state, 80, 24).lines == frame.lines
    assert "How to fix" in "\n".join(frame.lines)
    assert draw(pictured, State(pages=(Opened(HelpPage()),)), 200, 50).state.pages[0].top == 0


def test_what_comes_from_the_wire_cannot_steer_the_terminal_or_show_secrets() -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202etoken=hunter2"
    ledger = opened(4, sid=evil, path=f"/x?{evil}")
    ledger.client.user_agent = evil
    ledger.client_endpoint = Endpoint("10.0.0.7", 1)
    ledger.namespaces["/evil"] = ledger.namespaces.pop("/")
    ledger.namespaces["/evil"].name = evil
    fault = found(title=evil, summary=evil, why=evil, fix=[evil], clients=[evil], servers=[evil], sessions=[ledger])
    made = view(
        sessions=[live(ledger, Severity.ERROR)], findings=[fault], source=evil, backend=evil, state="waiting",
        note=evil, writing=evil, events=[LiveEvent(EventKind.CAPTURE, NOW, evil)],
    )  # fmt: skip
    made.sessions[0].client_library = made.sessions[0].server_library = evil
    for keys in ("", "\t", "\r", "\t\r", f"/{evil}\r"):
        drawn = text(made, keys, 200, 50, message=evil)
        assert "\x1b[2J" not in drawn
        assert "\x07" not in drawn
        assert "\u202e" not in drawn
        assert "hunter2" not in drawn


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "no-such-encoding"])
def test_a_terminal_without_our_characters_gets_others_of_the_same_width(encoding: str) -> None:
    look = Look(color=False, encoding=encoding, zone=UTC)
    for keys in ("", "\tj", "\r", "\rr", "?"):
        drawn, usual = lines(view(), keys, look=look), lines(view(), keys)
        "".join(drawn).encode("ascii" if encoding == "no-such-encoding" else encoding)
        assert list(map(cell_len, drawn)) == list(map(cell_len, usual))


def test_any_instant_has_a_time_of_day() -> None:
    for ns in (0, -1, 1 << 62, -(1 << 62), 10**30):
        assert re.fullmatch(r"\d\d:\d\d:\d\d", PLAIN.clock(ns))


@given(st.lists(st.sampled_from([*"jkqrgG /4w?1\t\r\x1b", "\x1b[6~"])), st.integers(1, 130), st.integers(1, 60))
def test_no_key_and_no_size_breaks_it(typed: list[str], width: int, height: int) -> None:
    pictured = picture()
    state = State()
    for one in typed:
        state = draw(pictured, after(one, state, pictured), width, height).state
    assert len(draw(pictured, state, width, height).lines) == height


def test_panes_share_the_height() -> None:
    wanted = {Pane.FINDINGS: 9, Pane.SESSIONS: 200, Pane.EVENTS: 100}
    for height in range(12, 60):
        assert sum(shares(height, wanted, Pane.SESSIONS).values()) == height
    roomy = [shares(height, wanted, Pane.SESSIONS)[Pane.SESSIONS] for height in range(12, 60)]
    assert all(before <= after for before, after in pairwise(roomy))
    assert shares(40, wanted, Pane.FINDINGS)[Pane.FINDINGS] == 9
    few = {Pane.FINDINGS: 2, Pane.SESSIONS: 2, Pane.EVENTS: 1}
    assert shares(40, few, Pane.FINDINGS)[Pane.EVENTS] > 20


def test_session_page_keeps_showing_a_session_that_is_let_go() -> None:
    page = SessionPage(live(opened(9)))
    assert "Session s9" in "\n".join(draw(picture(), State(pages=(Opened(page),)), 80, 24).lines)
