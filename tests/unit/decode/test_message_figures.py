"""What the ledger of a session keeps of its events and acknowledgements."""

import pytest

from eiosniff.decode.sessions.acks import MAX_LOST, MAX_PENDING_ACKS
from eiosniff.decode.sessions.message_figures import ENOUGH_LOOKED_AT
from eiosniff.model.messages import MessageFigures
from eiosniff.model.session import MAX_NAME
from tests.unit.decode.talk_sessions import JOINED, UPGRADED, WEBSOCKET, Talk, played, repeated

QUIET = 'w> 42["a",1]\n+ 1\nw< 42["b"]\n+ 1\nw< 42["c",{"d":"e"}]'


def messages(*scripts: str) -> MessageFigures:
    return played(WEBSOCKET, JOINED, *scripts).session.messages


@pytest.mark.interpreted
def test_a_usual_session_takes_no_room() -> None:
    figures = messages(QUIET)
    assert all(not getattr(figures, name) for name in MessageFigures.__slots__)


def test_acknowledgements_are_counted_and_timed_by_event_and_side() -> None:
    figures = messages('w> 420["a"]\nw< 420["a"]\nw> 421["a"]\nw< 430[]\n+ 1\nw> 430[]')
    (client,), (server,) = figures.acks_of(server=False).values(), figures.acks_of(server=True).values()
    assert (client.asked, client.delays.count, server.asked, server.delays.count) == (2, 1, 1, 1)
    assert server.slowest_asked is not None
    assert server.slowest_answered is not None
    assert server.slowest_answered.ts_ns - server.slowest_asked.ts_ns == server.delays.maximum
    assert [ask.place.number for ask in (figures.waiting or {}).values()] == [8]


@pytest.mark.parametrize("late", [False, True])
def test_stray_acknowledgements_by_what_they_are(late: bool) -> None:
    talk = Talk(late=late).play(WEBSOCKET).play(JOINED)
    talk.play('w< 425["q"]\nw> 435[]\nw> 435[]\nw> 439[]\nw< 426["q"]\nw< 426["r"]\nw> 436[]\nw< 430[]')
    strays = talk.close().session.messages.strays
    assert strays is not None
    client, server = strays
    assert client is not None
    assert server is not None
    assert [tally.count for tally in (client.again, client.unasked, client.ambiguous, client.late)] == [1, 1, 1, 0]
    assert server.unasked.count == 1


def test_what_one_session_leaves_open_is_known_in_the_next() -> None:
    first = f'{WEBSOCKET}\n{JOINED}\nw< 427["q"]\nw< close\nw< FIN\nw> FIN'
    second = f'{WEBSOCKET}\n{JOINED}\nw> 437["late"]'.replace("w", "v").replace("vebsocket", "websocket")
    talk = played(first, second.replace("open:S", "open:T"))
    strays = talk.sessions.sessions[1].messages.strays
    assert strays is not None
    assert strays[0] is not None
    assert strays[0].late.count == 1


@pytest.mark.interpreted
def test_memory_is_bounded() -> None:
    talk = Talk().play(WEBSOCKET).play(JOINED).play("+ 2")
    talk.play(repeated('w> 42#["e#","{\\"a\\":1}"]\nw< 42#["s#"]', range(MAX_PENDING_ACKS + 50)))
    talk.play(repeated("w> 439999#[]", range(100)))
    session = talk.play("w< close").close().session
    figures, unanswered = session.messages, session.client.unanswered
    assert len(figures.waiting or ()) == MAX_PENDING_ACKS
    assert figures.untracked == MAX_PENDING_ACKS + 100
    assert len(figures.encoded or ()) == 16
    assert unanswered is not None
    assert len(unanswered.by_client) == len(unanswered.by_server) == MAX_LOST


def test_names_are_cut() -> None:
    name = "n" * 5000
    figures = messages(f'w> 420["{name}"]\n+ 1', f'w> 42["{name}","{{\\"a\\":1}}"]')
    assert [len(event) for event in figures.acks_of(server=False)] == [MAX_NAME]
    assert [len(event) for _, event in figures.encoded or ()] == [MAX_NAME]


def test_the_form_of_an_event_is_known_after_some() -> None:
    figures = messages('w> 42["e","{\\"a\\":1}"]\n' * (ENOUGH_LOOKED_AT + 40))
    ((_, entry),) = (figures.encoded or {}).items()
    assert (entry.looked_at, entry.messages, entry.escapes) == (
        ENOUGH_LOOKED_AT,
        ENOUGH_LOOKED_AT,
        ENOUGH_LOOKED_AT * 4,
    )


def test_attachments_over_polling_are_base64() -> None:
    start = "a> GET EIO=4&transport=polling\na< 200 open:S\nb> POST EIO=4&transport=polling&sid=S 40\nb< 200 ok\n"
    poll = 'a> GET EIO=4&transport=polling&sid=S\na< 200 451-["i",{"_placeholder":true,"num":0}]~bAAECAw==\n'
    talk = played(start, poll, poll)
    ((key, figures),) = (talk.session.messages.base64_attachments or {}).items()
    assert (key, figures.bytes, figures.places.count) == ((True, "i"), 16, 2)
    assert messages('w< 451-["i",{"_placeholder":true,"num":0}]\nw< hex:00010203').base64_attachments is None


def test_bytes_of_a_websocket_are_bytes_whatever_was_asked_of_polling() -> None:
    """`b64=1` is about the transport that the request is for."""
    polling = UPGRADED.replace("EIO=4&transport=polling\n", "EIO=4&transport=polling&b64=1\n", 1)
    image = 'w< 451-["i",{"_placeholder":true,"num":0}]\nw< hex:00010203'
    assert played(polling, 'w> 40\nw< 40{"sid":"x"}', image).session.messages.base64_attachments is None
    asked = WEBSOCKET.replace("transport=websocket", "transport=websocket&b64=1")
    assert played(asked, JOINED, image).session.messages.base64_attachments is not None


def test_what_never_holds_json_in_a_string_is_not_read_for_ever() -> None:
    nested = 'w> 42["e",{"deep":"{\\"a\\":1}"}]\n'
    plain = 'w> 42["f","{\\"a\\":1}"]\n'
    assert messages(nested * (ENOUGH_LOOKED_AT - 1), plain).encoded is not None
    assert messages(nested * ENOUGH_LOOKED_AT, plain).encoded is None


def test_a_burst_is_one_however_long_it_is() -> None:
    figures = messages('w< 42["n"]\n' * 4 + "+ 1\n", 'w< 42["n"]\n+ 1\n', 'w< 42["n"]\nw< 42["n"]')
    ((_, repeats),) = (figures.repeats or {}).items()
    assert (repeats.runs, repeats.bursts, repeats.copies, repeats.most) == (3, 2, 4, 4)


@pytest.mark.parametrize("text", [r"\ud800", r"\\\"{", "[" * 3000, r"{\"a\":" * 200, '{\\"a\\":1e999}'])
def test_odd_strings_do_no_harm(text: str) -> None:
    assert messages(f'w> 42["e","{text}"]\n' * 3).encoded is None


def test_a_clock_that_is_set_back_ends_the_second() -> None:
    figures = messages('w> 42["m"]\n' * 30, "- 3600\n", 'w> 42["m"]\n' * 30, "+ 2\n", 'w> 42["m"]')
    assert figures.paces is not None
    assert figures.paces[0] is not None
    assert (figures.paces[0].seconds, figures.paces[0].messages) == (2, 60)
