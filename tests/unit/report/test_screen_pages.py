import re
from datetime import UTC

from eiosniff.model.attempt import AnswerFacts, RequestFacts, UpgradeTry
from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Certainty
from eiosniff.model.live import LiveSession, LiveView
from eiosniff.model.messages import AckFigures, Ask
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Namespace, NamespaceState
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.pages import page_lines, page_title
from eiosniff.report.screen.session_words import session_row
from eiosniff.report.screen.state import FindingPage, HelpPage, Page, RulePage, SessionPage
from tests.unit.report.live_views import MS, NOW, START, S, found, live, opened, picture, view


def page(opened_page: Page, made: LiveView | None = None, width: int = 100) -> str:
    return "\n".join(page_lines(picture(made), opened_page, width))


def of_session(shown: LiveSession, **changes: object) -> str:
    return page(SessionPage(shown), view(sessions=[shown], **changes))


def request() -> RequestFacts:
    return RequestFacts(
        PacketRef(20, START), 1, "GET", "/socket.io/", "/socket.io/", (), "4", ("websocket",), True, "", None, "", None,
        None, (), "1.1", None, (),
    )  # fmt: skip


def answer(status: int) -> AnswerFacts:
    return AnswerFacts(
        PacketRef(21, START), status, "1.1", (), None, None, None, None, None, None, None, (), False
    )  # fmt: skip


def test_all_that_is_known_of_a_session() -> None:
    ledger = opened(4)
    ledger.client.user_agent = "arduino-WebSocket-Client"
    ledger.proxied_for = Endpoint("192.0.2.9", 77)
    figures = AckFigures()
    figures.asked = 3
    for delay in (10, 30):
        figures.delays.add(delay * MS)
    ledger.messages.acks_of_client = {"save": figures}
    ledger.messages.waiting = {(False, "/", 7): Ask(PacketRef(8, NOW - 3 * S), "/", "save", 0)}
    shown = of_session(live(ledger), findings=[found(sessions=[ledger])])
    for words in (
        "1  ERROR    The client sends PING, which only the server may do in Engine.IO 4 (client-ping-in-eio4)",
        "1 opens it",
        "State       open, since 40.0 s; last packet 12.0 s ago",
        "lv_VI97HAXpY6yYWAAAC",
        "127.0.0.1:40004, arduinoWebSockets older than 2.3.3, a proxy, for 192.0.2.9:77, User-Agent",
        "127.0.0.1:28954, socket.io 4.5 or later",
        "/socket.io/",
        "Engine.IO 4, Socket.IO 5, the client asks for EIO=4",
        "18:08:46.123 (packet 40)",
        "the server pings every 25.0 s; a pong may take 20.0 s; 2 pings and 2 pongs so far",
        "pongs took 8.0 ms (median) and 12 ms at worst",
        "the last: 8.0 ms, usually 8.0 ms, 12 s ago",
        "save              server      2    10 ms    30 ms  1",
        "1 event waiting, the oldest for 3.0 s",
        "/               0  Zq0                   connected",
        "client  ping 1, message 2, CONNECT 1, EVENT 1",
        "3    40-49  websocket",
    ):
        assert " ".join(words.split()) in " ".join(shown.split())


def test_the_end_of_a_session_is_told_with_its_reason() -> None:
    ledger = opened(4)
    ledger.closing = Closing(Side.CLIENT, CloseHow.WS_CLOSE, PacketRef(99, NOW), 1002, "bad \x1b[2J frame")
    shown = of_session(live(ledger))
    told = " ".join(shown.split())
    assert 'closed by the client: WebSocket close frame, code 1002 "bad \\x1b[2J frame", at 18:09:26.123' in told
    assert "\x1b" not in re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "after 40.0 s" in " ".join(shown.split())


def test_what_becomes_of_an_upgrade() -> None:
    ledger = opened(4, transports=[Transport.POLLING], upgrades=[UpgradeTry(request())], upgrade_count=1)
    row = session_row(live(ledger), (), NOW, picture().redactor)
    assert (row.state, row.via) == ("upgrading", "poll")
    assert "polling, upgrading" in of_session(live(ledger))
    ledger.upgrades = [UpgradeTry(request(), answered=answer(502), refused=True)]
    ledger.upgrade_count = 3
    assert "polling, upgrade refused (502), 3 tries to upgrade" in of_session(live(ledger))
    ledger.upgrades = [UpgradeTry(request(), ended=PacketRef(30, NOW), ended_by=Side.SERVER)]
    assert "upgrade broken off by the server" in of_session(live(ledger))
    ledger.transports.append(Transport.WEBSOCKET)
    ledger.upgraded = PacketRef(30, ledger.opened.ts_ns + 85 * MS)
    assert "upgraded 85 ms after it was opened" in of_session(live(ledger))
    assert session_row(live(ledger), (), NOW, picture().redactor).via == "ws"


def test_sessions_of_which_little_is_known() -> None:
    ledger = opened(
        4, sid=None, path=None, midstream=True, handshake=None, transports=[], namespaces={}, connections=[]
    )
    ledger.claimed_eio, ledger.revisions = None, [3, 4]
    ledger.heartbeats.last = None
    bare = LiveSession(ledger)
    shown = of_session(bare)
    assert "not seen in the capture" in shown
    assert "library not recognised" in shown
    assert "before the capture began" in shown
    assert "but the client speaks 3 and the server 4" in shown
    assert "none joined" in shown
    ledger.socketio09 = True
    assert "Socket.IO 0.9" in of_session(bare)


def test_many_namespaces_events_and_connections_are_cut() -> None:
    ledger = opened(4, connection_count=90)
    ledger.namespaces = {
        f"/{at}": Namespace(f"/{at}", NamespaceState.REFUSED, refusal="no token=hunter2") for at in range(40)
    }  # fmt: skip
    figures = AckFigures()
    ledger.messages.acks_of_server = {f"event{at}": figures for at in range(200)}
    shown = of_session(live(ledger))
    assert "refused: no token=[redacted]" in shown
    assert "... and 28 more" in shown
    assert "... 89 others" in shown
    assert shown.count("event") < 40


def test_a_finding_is_explained_as_in_the_report() -> None:
    cause = found(certainty=Certainty.LIKELY, doubt="the capture began late.", sessions=[opened(1), opened(2)])
    shown = page(FindingPage(cause), view(findings=[cause]))
    for label in ("What", "Doubt", "Why", "Fix", "Proof", "Hence", "Wireshark: frame.number in {32,"):
        assert label in shown
    assert "Found at 18:08:36, last proved at 18:09:16. Concerns s1, s2." in shown
    assert "19.501" in shown  # since the first packet


def test_a_consequence_names_what_it_follows_from_and_a_resolved_one_says_so() -> None:
    made = view()
    shown = page(FindingPage(made.findings[1]), made)
    assert "Follows from  The client sends PING" in shown
    assert "(client-ping-in-eio4)" in shown
    gone = found("f9", sessions=[])
    gone.resolved = True
    assert page(FindingPage(gone)).startswith("Resolved  This does not hold: what came since shows it")
    gone.merged_into = "f1"
    assert page(FindingPage(gone)).startswith("Resolved  This is the same fault as another one")


def test_rules_and_help() -> None:
    assert "How to fix" in page(RulePage("EIO038"))
    assert page(RulePage("INT001")) == "There is nothing to read about INT001."
    assert "Ctrl-C" in page(HelpPage())
    assert page_title(HelpPage()) == "Help"
    assert page_title(RulePage("EIO038")) == "Rule EIO038"


def test_a_page_of_a_picture_is_made_once_so_that_it_stands_still() -> None:
    ledger = opened(4)
    made = picture(view(sessions=[live(ledger)]), Look(zone=UTC))
    first = page_lines(made, SessionPage(live(ledger)), 100)
    ledger.sid = "another"
    assert page_lines(made, SessionPage(live(ledger)), 100) is first
