from eiosniff.model.live import LiveView
from eiosniff.report.screen.keys import Key, KeyReader, Typed
from eiosniff.report.screen.picture import Picture
from eiosniff.report.screen.state import (
    Asked,
    FindingPage,
    HelpPage,
    Pane,
    RulePage,
    SessionPage,
    State,
    pane_of,
    press,
    selection_of,
)
from tests.unit.report.live_views import live, nothing, opened, picture, view


def after(data: str, state: State | None = None, made: Picture | None = None) -> State:
    """The state after these keys."""
    made, state = made or picture(), state or State()
    reader = KeyReader()
    for typed in [*reader.feed(data.encode()), *reader.settle()]:
        state, _ = press(state, typed, made)
    return state


def asked(data: str, state: State | None = None) -> Asked | None:
    typed = KeyReader().feed(data.encode())[0]
    return press(state or State(), typed, picture())[1]


def pages(state: State) -> list[object]:
    return [opened.page for opened in state.pages]


def test_the_diagnosis_is_at_hand_first_and_sessions_where_there_is_none() -> None:
    assert pane_of(State(), picture()) is Pane.FINDINGS
    assert pane_of(State(), picture(nothing())) is Pane.SESSIONS
    assert pane_of(after("\t"), picture()) is Pane.SESSIONS
    assert pane_of(after("\t\t\t"), picture()) is Pane.FINDINGS
    assert pane_of(after("\x1b[Z"), picture()) is Pane.EVENTS


def test_the_selection_stays_with_its_session_when_others_come_above_it() -> None:
    state = after("\tj")
    assert selection_of(state, picture(), Pane.SESSIONS) == 1
    newer = view()
    newer.sessions.insert(0, live(opened(5)))
    assert selection_of(state, picture(newer), Pane.SESSIONS) == 2
    newer.sessions = [each for each in newer.sessions if each.session.index != 3]  # it is gone
    assert selection_of(state, picture(newer), Pane.SESSIONS) == 1


def test_at_the_end_where_new_ones_come_the_selection_follows_them() -> None:
    newer = view()
    newer.sessions.insert(0, live(opened(5)))
    assert selection_of(after("\tjk"), picture(newer), Pane.SESSIONS) == 0
    assert selection_of(after("\t\tkG"), picture(), Pane.EVENTS) == 2
    assert selection_of(after("\t\tg"), picture(), Pane.EVENTS) == 0
    assert selection_of(after("\tGjjj"), picture(), Pane.SESSIONS) == 3


def test_enter_opens_what_is_selected_and_escape_goes_back() -> None:
    made = view()
    assert pages(after("\r", made=picture(made))) == [FindingPage(made.findings[0])]
    assert pages(after("j\r", made=picture(made))) == [FindingPage(made.findings[1])]
    assert pages(after("\tj\r", made=picture(made))) == [SessionPage(made.sessions[1])]
    assert pages(after("\t\tk\r", made=picture(made))) == [FindingPage(made.findings[0])]  # of an event
    assert pages(after("\t\t\r", made=picture(made))) == [SessionPage(made.sessions[0])]
    assert pages(after("\r\x1b", made=picture(made))) == []
    assert pages(after("\rq", made=picture(made))) == []


def test_a_rule_is_opened_from_its_finding_and_a_finding_from_its_session() -> None:
    made = view()
    assert pages(after("\rr", made=picture(made))) == [FindingPage(made.findings[0]), RulePage("EIO038")]
    assert pages(after("r", made=picture(made))) == [RulePage("EIO038")]
    concerned = after("\tj\r2", made=picture(made))
    assert pages(concerned) == [SessionPage(made.sessions[1]), FindingPage(made.findings[1])]
    assert pages(after("\tj\r9", made=picture(made))) == [SessionPage(made.sessions[1])]
    assert pages(after("\tr", made=picture(made))) == []


def test_help_opens_once_from_anywhere() -> None:
    assert pages(after("??")) == [HelpPage()]
    assert pages(after("\r?"))[1:] == [HelpPage()]


def test_the_filter_is_typed_and_cleared() -> None:
    typing = after("/10.0")
    assert (typing.filter, typing.typing) == ("10.0", True)
    assert after("/10.0\x7f\x7f").filter == "10"
    kept = after("/ödp q\r")  # all of it is text, keys or not
    assert (kept.filter, kept.typing, kept.paused) == ("ödp q", False, False)
    assert after("\x1b", kept).filter == ""
    assert (after("/x\x1b").filter, after("/x\x1b").typing) == ("", False)
    assert after("/\x7f").typing is False
    assert after("/" + "x" * 5_000).filter == "x" * 100
    pasted, _ = press(State(typing=True), Typed(Key.PASTE, "10.0\n\x1b[2J7"), picture())
    assert pasted.filter == "10.0[2J7"
    assert after("\x1b[200~q\x1b[201~") == State()


def test_pause_and_what_is_asked_of_others() -> None:
    assert after(" ").paused
    assert after("p").paused
    assert not after(" \tp").paused
    assert after("\r ").paused
    assert asked("q") is Asked.STOP
    assert asked("q", after("\r")) is None
    assert asked("w", after("\r")) is Asked.WRITE_REPORT
    assert asked("w", after("/")) is None
    assert asked("\x0c", after("/")) is Asked.REDRAW
    assert asked("\x1a") is Asked.SUSPEND


def test_unknown_keys_do_nothing() -> None:
    made = picture()
    for before in ("", "\r", "\t"):
        assert after(f"{before}xyzQ!\x01\x1b[15~\x1b[<0;1;1M", made=made) == after(before, made=made)


def test_nothing_is_selected_or_opened_where_there_is_nothing() -> None:
    for keys in ("\r", "j", "k", "G", "r", "\tj\r", "\t\tk\r", "\x1b[5~"):
        assert after(keys, made=picture(nothing())).pages == ()
    assert selection_of(State(), picture(nothing()), Pane.SESSIONS) == -1


def test_the_filter_looks_at_peers_libraries_ids_namespaces_and_rules() -> None:
    made = view()
    made.sessions[0].session.namespaces["/admin"] = made.sessions[0].session.namespaces["/"]

    def matching(wanted: str) -> list[int]:
        return [each.session.index for each in picture(made).sessions(wanted)]

    assert matching("/ADMIN") == [4]
    assert matching(":40002") == [2]
    assert matching("arduino") == [4, 3, 2, 1]
    assert matching("s3") == [3]
    assert matching("lv_vi97") == [4, 3, 2, 1]
    assert matching("client-ping") == [3, 2, 1]
    assert matching("nowhere") == []
    assert [each.id for each in picture(made).findings("connect-loop")] == ["f1", "f2"]  # with its cause
    assert [each.text for each in picture(made).events("EIO038")] == ["opened over polling", "found"]


def test_a_picture_keeps_what_did_not_change_and_takes_what_did() -> None:
    made = view()
    first = picture(made)
    again = Picture(made, first.rules, first.redactor, first.look, first)
    assert again.concerning(made.sessions[1]) is first.concerning(made.sessions[1])
    other: LiveView = view(sessions=made.sessions, findings=[])
    assert Picture(other, first.rules, first.redactor, first.look, first).concerning(made.sessions[1]) == []
