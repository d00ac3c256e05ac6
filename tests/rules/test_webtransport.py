"""The rules about WebTransport: one cause each, and what only looks like one.

What no recording has is played as pieces of QUIC streams (see `tests/unit/decode/http3_talk.py`).
"""

import json

import pytest

from eiosniff.model.finding import Certainty, Diagnosis, Severity
from eiosniff.model.provenance import CLIENT, SERVER
from tests.unit.decode.http3_talk import CONNECT, GET, OPEN, STREAM, Http3Talk, diagnoses_of, packet, varint

UPGRADES = json.dumps(
    {"sid": "S", "upgrades": ["webtransport"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000}
)
WANTED = varint(0x2B603742) + varint(1)  # SETTINGS_ENABLE_WEBTRANSPORT
RULES = ("webtransport-refused", "webtransport-framing")


def begun(*, polling: bool) -> Http3Talk:
    """A client that has, or has not, a session over polling that may be upgraded."""
    talk = Http3Talk()
    talk.settings()
    if polling:
        talk.polled(8, "", "0" + UPGRADES)
        talk.polled(12, "&sid=S", '40{"sid":"X"}')
    return talk


def go_on(talk: Http3Talk) -> None:
    """The session lives on over polling."""
    talk.wait(2)
    talk.polled(100, "&sid=S", "2")
    talk.polled(104, "&sid=S", "6")


def only(talk: Http3Talk) -> Diagnosis:
    loud = [each for each in diagnoses_of(talk.pieces) if each.finding.severity > Severity.INFO]
    assert len(loud) == 1, [(each.finding.name, each.finding.summary) for each in loud]
    return loud[0]


def silent(talk: Http3Talk) -> bool:
    return not [each for each in diagnoses_of(talk.pieces) if each.finding.name in RULES]


STATUSES = [b"302", b"400", b"401", b"403", b"404", b"405", b"413", b"426", b"500", b"502", b"503", b"504"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_refused_handshake_is_one_error(status: bytes) -> None:
    talk = begun(polling=False)
    talk.webtransport(status=status)
    talk.wait(2)
    finding = only(talk).finding
    assert (finding.name, finding.severity, finding.certainty) == (
        "webtransport-refused",
        Severity.ERROR,
        Certainty.CERTAIN,
    )
    assert f"answers {status.decode()}" in finding.summary
    assert "gets no session at all" in finding.summary


@pytest.mark.parametrize("status", STATUSES)
def test_a_refused_upgrade_is_a_warning(status: bytes) -> None:
    talk = begun(polling=True)
    talk.webtransport(status=status)
    go_on(talk)
    finding = only(talk).finding
    assert (finding.name, finding.severity) == ("webtransport-refused", Severity.WARNING)
    assert "goes on over polling" in finding.summary


def test_a_client_that_gets_in_by_polling_afterwards_is_warned_of() -> None:
    talk = begun(polling=False)
    talk.webtransport(status=b"404")
    talk.polled(8, "", '0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
    talk.polled(12, "&sid=S", '40{"sid":"X"}')
    finding = only(talk).finding
    assert (finding.name, finding.severity) == ("webtransport-refused", Severity.WARNING)
    assert "Over another transport it gets in." in finding.summary


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("polling", [False, True])
def test_a_server_that_closes_without_a_word(said: bool, polling: bool) -> None:
    talk = begun(polling=polling)
    talk.webtransport()
    if said:
        talk.say(CLIENT, STREAM, packet('0{"sid":"S"}' if polling else "0"))
    talk.close(SERVER)
    if polling:
        go_on(talk)
    found = only(talk)
    assert found.finding.name == "webtransport-refused"
    assert found.finding.severity is (Severity.WARNING if polling else Severity.ERROR)


def test_a_client_that_answers_the_close_makes_no_second_case() -> None:
    talk = begun(polling=True)
    talk.webtransport()
    talk.close(SERVER)
    talk.close(CLIENT)
    go_on(talk)
    assert only(talk).finding.occurrences == 1


@pytest.mark.parametrize(("seconds", "found"), [(0.5, False), (3, True)])
@pytest.mark.parametrize("polling", [False, True])
@pytest.mark.parametrize("said", [False, True])
def test_a_server_that_never_answers(seconds: float, found: bool, polling: bool, said: bool) -> None:
    talk = begun(polling=polling)
    if said:
        talk.webtransport()
        talk.say(CLIENT, STREAM, packet('0{"sid":"S"}' if polling else "0"))
    else:
        talk.section(CLIENT, 0, CONNECT)
    talk.wait(seconds)
    talk.close(CLIENT)
    if polling:
        go_on(talk)
    if found:
        finding = only(talk).finding
        assert (finding.name, finding.certainty) == ("webtransport-refused", Certainty.LIKELY)
    else:
        assert silent(talk)


def test_an_upgrade_that_waits_to_the_end_of_the_capture() -> None:
    talk = begun(polling=True)
    talk.section(CLIENT, 0, CONNECT)
    go_on(talk)
    assert only(talk).finding.name == "webtransport-refused"
    early = begun(polling=True)
    early.polled(100, "&sid=S", "2")
    early.section(CLIENT, 0, CONNECT)
    assert silent(early)


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("offered", [False, True])
@pytest.mark.parametrize("polling", [False, True])
def test_a_server_whose_http3_has_no_webtransport(wanted: bool, offered: bool, polling: bool) -> None:
    talk = begun(polling=polling)
    talk.connection = 1
    talk.settings(WANTED if wanted else b"", WANTED if offered else b"")
    talk.connection = 0
    if polling:
        go_on(talk)
    if wanted and polling and not offered:
        finding = only(talk).finding
        assert (finding.name, finding.severity) == ("webtransport-refused", Severity.WARNING)
        assert len(finding.evidence) == 2
    else:
        assert silent(talk)


@pytest.mark.parametrize("late", [False, True])
def test_a_connection_that_is_for_something_else(late: bool) -> None:
    """Another browser may say on each connection that it can do WebTransport."""
    talk = begun(polling=True)
    talk.connection = 1
    if late:
        talk.settings(WANTED)
    talk.section(CLIENT, 0, [*GET, (b":path", b"/picture.png")], fin=True)
    if not late:
        talk.settings(WANTED)
    talk.connection = 0
    go_on(talk)
    assert silent(talk)


def test_a_refusal_after_which_nothing_was_wanted() -> None:
    talk = begun(polling=True)
    talk.polled(16, "&sid=S", "1")  # the server closes the session
    talk.webtransport(status=b"404")
    talk.wait(2)
    assert silent(talk)


@pytest.mark.parametrize("polling", [False, True])
@pytest.mark.parametrize("refused", [False, True])
def test_the_session_of_another_application(polling: bool, refused: bool) -> None:
    talk = begun(polling=polling)
    talk.section(CLIENT, 0, [(name, b"/game" if name == b":path" else value) for name, value in CONNECT])
    talk.section(SERVER, 0, [(b":status", b"404" if refused else b"200")], fin=refused)
    if not refused:
        talk.close(SERVER)
    go_on(talk)
    assert silent(talk)


@pytest.mark.parametrize("path", [b"/chat/", b"/game/"])
def test_a_path_of_its_own_is_known_by_the_polling(path: bytes) -> None:
    talk = begun(polling=False)
    talk.polled(8, "", "0" + UPGRADES, path="/chat/")
    talk.polled(12, "&sid=S", '40{"sid":"X"}', path="/chat/")
    talk.section(CLIENT, 0, [(name, path if name == b":path" else value) for name, value in CONNECT])
    talk.section(SERVER, 0, [(b":status", b"404")], fin=True)
    go_on(talk)
    assert silent(talk) is (path == b"/game/")


def test_a_loop_is_a_consequence() -> None:
    talk = begun(polling=False)
    for number in range(5):
        talk.webtransport(stream=8 * number)
        talk.close(SERVER, stream=8 * number)
        talk.wait(1)
    found = only(talk)
    assert (found.finding.name, found.finding.occurrences) == ("webtransport-refused", 5)
    assert "connect-loop" in [each.name for each in found.consequences]


def test_a_client_that_leaves_by_itself() -> None:
    for said in (False, True):
        talk = begun(polling=False)
        talk.webtransport()
        if said:
            talk.say(CLIENT, STREAM, packet("0"))
        talk.close(CLIENT)
        assert silent(talk)


def test_without_the_packets_in_between_nobody_is_blamed() -> None:
    talk = begun(polling=True)
    talk.webtransport()
    talk.say(CLIENT, STREAM, packet('0{"sid":"S"}') + packet("2probe"))
    talk.say(SERVER, STREAM, packet("3probe"))
    lost = len(talk.pieces)
    talk.say(SERVER, STREAM, packet("6"))
    talk.close(SERVER)
    go_on(talk)
    assert not [
        each for each in diagnoses_of([*talk.pieces[: lost - 1], *talk.pieces[lost:]]) if each.finding.name in RULES
    ]


# ---------------------------------------------------------------- framing


def test_a_client_before_6_5_2_is_an_error_where_it_has_nothing_else() -> None:
    talk = begun(polling=False)
    talk.webtransport()
    talk.say(CLIENT, STREAM, b"0")
    talk.wait(10)
    talk.close(SERVER)
    found = only(talk)
    assert (found.finding.name, found.finding.severity) == ("webtransport-framing", Severity.ERROR)
    assert "the server closes it 10.0 s later" in found.finding.summary


def test_the_upgrade_of_a_client_before_6_5_2_is_a_warning() -> None:
    talk = begun(polling=True)
    talk.webtransport()
    talk.say(CLIENT, STREAM, b'0{"sid":"S"}')
    talk.say(CLIENT, STREAM, b"2probe")
    talk.wait(10)
    talk.close(SERVER)
    go_on(talk)
    finding = only(talk).finding
    assert (finding.name, finding.severity, finding.occurrences) == ("webtransport-framing", Severity.WARNING, 1)
    assert "the session goes on as before" in finding.summary


def test_both_sides_before_6_5_2_are_a_warning() -> None:
    talk = begun(polling=False)
    talk.webtransport()
    talk.say(CLIENT, STREAM, b"0")
    talk.say(SERVER, STREAM, OPEN.encode())
    talk.say(CLIENT, STREAM, b"40")
    talk.wait(5)
    talk.close(CLIENT)
    finding = only(talk).finding
    assert (finding.name, finding.severity) == ("webtransport-framing", Severity.WARNING)


@pytest.mark.parametrize("data", [b"\0", b"\x7f" + (1 << 60).to_bytes(8), b"\x7e\0\0"])
def test_a_length_that_there_is_not_ends_the_session(data: bytes) -> None:
    talk = begun(polling=False)
    talk.webtransport()
    for side, text in ((CLIENT, packet("0")), (SERVER, packet(OPEN)), (CLIENT, packet("40")), (CLIENT, data)):
        talk.say(side, STREAM, text)
    talk.close(SERVER)
    found = only(talk)
    assert (found.finding.name, found.finding.severity) == ("webtransport-framing", Severity.ERROR)
    assert found.finding.occurrences == 1


def test_a_first_packet_without_a_length() -> None:
    talk = begun(polling=False)
    talk.webtransport()
    talk.say(CLIENT, STREAM, b"\0")
    talk.close(SERVER)
    assert only(talk).finding.name == "webtransport-framing"


@pytest.mark.parametrize(("ends", "found"), [(True, True), (False, False)])
def test_a_packet_that_breaks_off_counts_if_the_stream_ends_by_itself(ends: bool, found: bool) -> None:
    talk = begun(polling=False)
    talk.webtransport()
    for side, text in ((CLIENT, packet("0")), (SERVER, packet(OPEN)), (CLIENT, packet("40"))):
        talk.say(side, STREAM, text)
    talk.say(SERVER, STREAM, packet('40{"sid":"X"}'))
    talk.say(CLIENT, STREAM, packet('42["said"]')[:-3], fin=ends)
    if not ends:
        talk.close(CLIENT)
    talk.wait(1)
    talk.say(SERVER, STREAM, packet("2"))
    assert silent(talk) is not found


@pytest.mark.parametrize(("size", "found"), [(998, False), (1001, True), (70_000, True)])
def test_a_packet_that_is_too_large_is_told_of_once(size: int, found: bool) -> None:
    """What counts is the packet without its header, as the server does it; `maxPayload` is 1,000."""
    talk = begun(polling=False)
    talk.webtransport()
    for side, text in ((CLIENT, "0"), (SERVER, OPEN), (CLIENT, "40"), (SERVER, '40{"sid":"X"}')):
        talk.say(side, STREAM, packet(text))
    talk.say(CLIENT, STREAM, packet("4" + "x" * (size - 1))[:600])
    talk.close(SERVER)
    names = [each.finding.name for each in diagnoses_of(talk.pieces)]
    assert ("payload-too-large" in names) is found
    assert silent(talk)
