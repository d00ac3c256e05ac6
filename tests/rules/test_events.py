"""Rules on events and acknowledgements: what they take for a fault, and what only looks like one.

Conversations are written down as in `test_combinations`; numbers of `played` packets are milliseconds apart.
"""

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from tests.rules.test_combinations import BEAT, JOIN, OPEN
from tests.unit.decode.talk_sessions import POLL, POLLING, POST, Talk, played, repeated

BEGIN = OPEN + JOIN
SAVE = 'w#> 420["save",{"part":7}]\n'


def script(*parts: str) -> str:
    return repeated("\n".join(parts), [1])


def names(*parts: str) -> list[str]:
    return played(script(*parts)).names()


def found(name: str, *parts: str) -> Finding | None:
    return played(script(*parts)).found(name)


# ---------------------------------------------------------------- acknowledgements that do not come


def test_an_event_without_its_acknowledgement_is_told_when_the_other_side_is_alive() -> None:
    finding = found("ack-missing", BEGIN, 'w#> 42["plain"]', SAVE, BEAT)
    assert finding is not None
    assert (finding.severity, finding.certainty) == (Severity.WARNING, Certainty.CERTAIN)
    assert '"save"' in finding.title


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param('+ 9\nw#< 42["tick"]', id="there was time left when the capture ends"),
        pytest.param("+ 30", id="the server has said nothing since"),
        pytest.param("+ 9\nw#> 41\nw#> close\nw#> FIN\nw#< FIN", id="the session ends"),
        pytest.param("+ 5\nw#> 41\n+ 20\nw#< 2\nw#> 3", id="the namespace is left"),
        pytest.param('+ 12\nw#< 430["late"]\n' + BEAT, id="it comes late"),
        pytest.param('+ 2\nw#< 461-0[{"_placeholder":true,"num":0}]\nw#< hex:00\n' + BEAT, id="it is binary"),
        pytest.param("w! server\n" + BEAT, id="something of the server is missing"),
    ],
)
def test_no_acknowledgement_is_missed_too_soon(rest: str) -> None:
    finding = found("ack-missing", BEGIN, 'w#> 42["plain"]', SAVE, rest)
    assert finding is None or finding.certainty is Certainty.POSSIBLE


def test_an_acknowledgement_on_another_namespace_does_not_count() -> None:
    other = 'w#> 40/other,\nw#< 40/other,{"sid":"y"}\n'
    assert names(BEGIN, other, 'w#> 42["plain"]', SAVE, "w#< 43/other,0[]", BEAT) == ["ack-unknown + ack-missing"]


def test_what_gives_each_event_an_id_and_gets_none_is_an_information() -> None:
    finding = found("ack-missing", BEGIN, 'w#> 420["move",1]\nw#> 421["look",1]', BEAT)
    assert finding is not None
    assert finding.severity is Severity.INFO
    answered = found("ack-missing", BEGIN, 'w#> 420["move",1]\nw#< 430[]\nw#> 421["look",1]', BEAT)
    assert answered is not None
    assert answered.severity is Severity.WARNING


def test_an_event_on_a_namespace_that_the_client_is_not_in_is_another_matter() -> None:
    assert found("ack-missing", BEGIN, 'w#> 42["plain"]\nw#> 42/nowhere,0["save"]', BEAT) is None


def test_each_event_is_told_of_by_its_name() -> None:
    talk = played(script(BEGIN, 'w#> 42["plain"]\nw#> 420["a"]\nw#> 421["b"]\nw#> 422["a",1]', BEAT))
    titles = {finding.title: finding.occurrences for finding in talk.findings()}
    assert titles == {'The server does not acknowledge "a"': 2, 'The server does not acknowledge "b"': 1}


# ---------------------------------------------------------------- acknowledgements of nothing


def test_an_acknowledgement_that_nobody_asked_for() -> None:
    finding = found("ack-unknown", BEGIN, 'w#< 42["ask"]\nw#> 437["?"]')
    assert finding is not None
    assert finding.title.startswith("The client acknowledges an event that nobody sent")


def test_where_the_question_may_be_missing_nobody_is_blamed() -> None:
    assert found("ack-unknown", BEGIN, 'w! server\nw#> 437["?"]'.replace("w!", "w1!")) is None
    late = Talk()
    late.connect("w1", midstream=True)
    late.play('w1< 42["a"]\nw1> 437["?"]').close()
    assert late.found("ack-unknown") is None


def test_ids_count_for_each_side_and_each_namespace() -> None:
    assert names(BEGIN, 'w#> 420["a"]\nw#< 420["b"]\nw#> 430[]\nw#< 430[]') == []


def test_several_events_with_one_id_are_the_askers_fault() -> None:
    finding = found("ack-unknown", BEGIN, 'w#> 421["a"]\nw#> 421["b"]\nw#< 431[]\nw#< 431[]')
    assert finding is not None
    assert finding.title.startswith("The client uses one ack id")
    assert names(BEGIN, 'w#> 421["a"]\nw#< 431[]\nw#> 421["b"]\nw#< 431[]') == []


# ---------------------------------------------------------------- slow ones


def slow(seconds: float, times: int = 3) -> str:
    return "".join(f'w#> 42{at}["load"]\n+ {seconds}\nw#< 43{at}[]\n' for at in range(times))


def test_slow_acknowledgements_are_told_with_their_figures() -> None:
    finding = found("ack-slow", BEGIN, BEAT, slow(2))
    assert finding is not None
    assert "2.0 s" in finding.title
    assert "Heartbeats take 1.0 ms" in finding.summary
    assert finding.certainty is Certainty.CERTAIN
    alone = found("ack-slow", BEGIN, slow(2))
    assert alone is not None
    assert alone.certainty is Certainty.LIKELY


def test_a_client_may_have_to_ask_a_person() -> None:
    asks = "".join(f'w#< 42{at}["sure?"]\n+ 20\nw#< 2\nw#> 3\nw#> 43{at}["yes"]\n' for at in range(2))
    finding = found("ack-slow", BEGIN, asks)
    assert finding is not None
    assert (finding.severity, finding.certainty) == (Severity.INFO, Certainty.LIKELY)
    never = found("ack-missing", BEGIN, 'w#< 42["plain"]\nw#< 420["sure?"]', BEAT)
    assert never is not None
    assert never.certainty is Certainty.LIKELY


def test_what_took_long_before_may_take_as_long_again() -> None:
    job = 'w#> 420["job",1]\n+ 14\nw#< 430[]\nw#> 421["job",2]\n'
    assert found("ack-missing", BEGIN, job, BEAT) is None
    assert found("ack-missing", BEGIN, job, BEAT * 2) is not None


def test_a_slow_path_is_not_the_handlers_fault() -> None:
    slow_beat = "+ 25\nw#< 2\n+ 0.6\nw#> 3\n"
    assert found("ack-slow", BEGIN, slow_beat * 3, slow(2)) is None


def test_one_slow_acknowledgement_is_chance() -> None:
    assert found("ack-slow", BEGIN, BEAT, slow(2, times=1)) is None
    assert found("ack-slow", BEGIN, BEAT, slow(0.5)) is None


# ---------------------------------------------------------------- duplicates

AGAIN = 'w#> 420["order",{"part":7}]\n+ 1\nw#> 421["order",{"part":7}]\n'


def test_an_event_that_is_sent_again_follows_from_the_missing_acknowledgement() -> None:
    assert names(BEGIN, 'w#> 42["plain"]', AGAIN, BEAT) == ["ack-missing + duplicate-event"]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(AGAIN.replace("+ 1\n", "w#< 430[]\n+ 1\n") + "w#< 431[]", id="after the acknowledgement"),
        pytest.param(AGAIN.replace("+ 1\n", "+ 0.2\n") + "w#< 430[]\nw#< 431[]", id="too soon for a timeout"),
        pytest.param(AGAIN.replace("7}]\n+ 1", "8}]\n+ 1") + "w#< 430[]\nw#< 431[]", id="with other arguments"),
        pytest.param(
            AGAIN.replace("+ 1\n", '+ 1\nw#> 429["else"]\n') + "w#< 430[]\nw#< 431[]\nw#< 439[]", id="not in a row"
        ),
    ],
)
def test_what_is_asked_twice_is_not_always_sent_again(said: str) -> None:
    assert names(BEGIN, said) == []


def test_a_question_that_is_asked_all_the_time_is_not_sent_again() -> None:
    asked = 'w#> 420["status"]\n+ 0.6\n'
    asked += "".join(f'w#> 42{at}["status"]\nw#< 43{at - 1}["fine"]\n+ 0.6\n' for at in range(1, 5))
    assert names(BEGIN, asked) == []  # acknowledgements are slower than the questions


def test_nor_is_it_where_the_session_before_ended_without_an_answer() -> None:
    asked = "".join(f'w1> 42{at}["status"]\nw1< 43{at}["fine"]\n+ 5\n' for at in range(3))
    first = f"{BEGIN}+ 2\n".replace("#", "1") + asked + 'w1> 423["status"]\nw1< FIN\nw1> FIN\n+ 2\n'
    again = f'{BEGIN}+ 2\nw#> 420["status"]\nw#< 430["fine"]\n'.replace("#", "2")
    assert played(first + again).found("duplicate-event") is None


def lost(joined_before: float) -> str:
    first = f'{BEGIN}+ {joined_before}\nw#> 420["order",1]\nw#< close\nw#< FIN\nw#> FIN\n+ 2'.replace("#", "1")
    return f'{first}\n{BEGIN}w#> 420["order",1]\nw#< 430[]\nw#> 41\nw#> close\nw#> FIN\nw#< FIN'.replace("#", "2")


def test_an_event_that_the_next_session_sends_again() -> None:
    for most in (1, 1000):  # sessions in memory
        finding = played(lost(5), most=most).found("duplicate-event")
        assert finding is not None
        assert "in its next session" in finding.summary


def test_what_is_said_on_joining_is_said_in_each_session() -> None:
    assert played(lost(0.2)).found("duplicate-event") is None


def at_once(*texts: str) -> str:
    return "\n".join(f"w#< {text}" for text in texts)


def test_copies_within_a_moment_again_and_again() -> None:
    twice = at_once(*['42["news",#]'] * 2)
    finding = found("duplicate-event", BEGIN, *[f"{twice.replace('#]', f'{at}]')}\n+ 1" for at in range(3)])
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert finding.certainty is Certainty.LIKELY


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([2, 2], id="twice only"),
        pytest.param([2, 1, 1, 2, 1, 1, 2, 1, 1], id="now and then"),
        pytest.param([30, 30, 30], id="a loop"),
    ],
)
def test_some_copies_are_meant(said: list[int]) -> None:
    bursts = [at_once(*[f'42["news",{at}]'] * count) + "\n+ 1" for at, count in enumerate(said)]
    assert found("duplicate-event", BEGIN, *bursts) is None


@pytest.mark.parametrize(("asks", "told"), [(3, False), (1, True)])
def test_equal_answers_to_several_questions_are_no_copies(asks: int, told: bool) -> None:
    """A handler that runs three times for one question answers it three times."""
    asked = "\n".join(f'w#> 42["save",{at}]' for at in range(asks))
    answered = at_once(*['42["saved"]'] * 3)
    finding = found("duplicate-event", BEGIN, *[f"{asked}\n{answered}\n+ 3"] * 4)
    assert (finding is not None) is told


def test_the_same_in_two_namespaces_is_no_copy() -> None:
    both = at_once('42["tick",1]', '42/a,["tick",1]') + "\n+ 1"
    assert found("duplicate-event", BEGIN, 'w#> 40/a,\nw#< 40/a,{"sid":"y"}', *[both] * 4) is None


def test_what_differs_only_at_its_end_is_no_copy() -> None:
    pieces = [at_once(*[f'42["piece","{"A" * 1100}{at}{part}"]' for part in "xy"]) + "\n+ 1" for at in range(4)]
    assert found("duplicate-event", BEGIN, *pieces) is None


def test_equal_headers_of_different_binary_data_are_no_copies() -> None:
    frame = 'w#< 451-["frame",{"_placeholder":true,"num":0}]\nw#< hex:0%d\n'
    assert names(BEGIN, *["".join(frame % at for at in range(2)) + "+ 1"] * 4) == []


def test_polls_collect_what_was_said_meanwhile() -> None:
    poll = 'a> GET EIO=4&transport=polling&sid=S\na< 200 42["tick"]~42["tick"]~42["tick"]\n+ 1\n'
    start = "a> GET EIO=4&transport=polling\na< 200 open:S\nb> POST EIO=4&transport=polling&sid=S 40\nb< 200 ok\n"
    talk = played(start + 'a> GET EIO=4&transport=polling&sid=S\na< 200 40{"sid":"x"}\n' + poll * 5)
    assert talk.found("duplicate-event") is None


# ---------------------------------------------------------------- what it costs


def flood(rate: int, seconds: int, text: str = '42["move",1]', side: str = ">") -> str:
    # Each line takes a millisecond itself.
    return f"w#{side} {text}\n+ {1 / rate - 0.001:.6f}\n" * (rate * seconds + 1)


def test_a_flood_is_an_information_until_somebody_cannot_keep_up() -> None:
    calm = found("tiny-message-flood", BEGIN, BEAT, flood(80, 4, '42["move",[1,2]]'))
    assert calm is not None
    assert calm.severity is Severity.INFO
    assert "80 tiny events a second" in calm.title
    assert "320 events with 4.5 kB of payload, in 320 packets whose headers are another 15.4 kB" in calm.summary
    assert "80 packets with 3.8 kB of headers: 75 % less" in calm.summary
    late = "+ 25\nw#< 2\n+ 1.5\nw#> 3\n"
    hurt = found("tiny-message-flood", BEGIN, late, flood(80, 4))
    assert hurt is not None
    assert hurt.severity is Severity.WARNING


@pytest.mark.parametrize(
    "said",
    [flood(40, 5), flood(80, 2), flood(80, 5, f'42["move","{"x" * 80}"]')],
    ids=["forty a second", "two seconds", "not tiny"],
)
def test_less_is_no_flood(said: str) -> None:
    assert found("tiny-message-flood", BEGIN, said) is None


def test_events_that_share_packets_are_no_flood() -> None:
    frame = "raw:810d34325b226d6f7665222c31325d"  # 42["move",12]
    packets = f"w#< raw:{frame.removeprefix('raw:') * 5}\n+ 0.05\n"
    assert found("tiny-message-flood", BEGIN, packets * 100) is None
    assert found("tiny-message-flood", BEGIN, f"w#< {frame}\n+ 0.01\n" * 500) is not None


IMAGE = "iVBORw0KGgoAAAANSUhEUgAAB9AAAAfQCAYAAACaOMR5" * 100


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_in_the_json_is_told_with_what_it_would_be_as_binary(prefix: str) -> None:
    finding = found("base64-binary", BEGIN, f'w#> 42["image","{prefix}{IMAGE}"]\n+ 1\n' * 3)
    assert finding is not None
    assert "13.2 kB of it. Sent as binary it would be 9.9 kB, 3.3 kB less" in finding.summary


def test_what_goes_over_polling_before_the_upgrade_has_no_other_way() -> None:
    post = 'b> POST EIO=4&transport=polling&sid=S 451-["i",{"_placeholder":true,"num":0}]~b' + f"{IMAGE}\nb< 200 ok\n"
    polling = f'{POLLING}\nb> POST {POST} 40\nb< 200 ok\n{POLL}\na< 200 40{{"sid":"x"}}\n' + post * 4
    upgrade = "w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5"
    assert played(polling).found("base64-binary") is not None
    assert played(polling, upgrade).found("base64-binary") is None


@pytest.mark.parametrize(
    "text", ["x" * 5000, "some words, " * 400, "0123456789" * 500, f'{IMAGE[:100]}","{IMAGE[:90]}']
)
def test_other_long_strings_are_no_base64(text: str) -> None:
    assert found("base64-binary", BEGIN, f'w#> 42["text","{text}"]\n+ 1\n' * 5) is None


JSON = r'w#> 42["reading","{\"value\":%d}"]' + "\n+ 1\n"


def test_json_in_a_string_is_told_when_it_is_a_habit() -> None:
    finding = found("double-encoded-json", BEGIN, *[JSON % at for at in range(3)])
    assert finding is not None
    assert "(value)" in finding.summary
    assert found("double-encoded-json", BEGIN, *[JSON % at for at in range(2)]) is None
    mixed = [JSON % at + 'w#> 42["reading","text"]' for at in range(5)]
    assert found("double-encoded-json", BEGIN, *mixed) is None


@pytest.mark.parametrize("text", [r"{\"broken\"", r"say \"hello\"", "[1,2]", "{}", r"\n[]"])
def test_other_strings_are_not(text: str) -> None:
    assert found("double-encoded-json", BEGIN, f'w#> 42["say","{text}"]\n' * 5) is None


def broadcast(clients: int, rounds: int, every: float, text: str = '42["tick",%d]') -> list[str]:
    ticks = (repeated(f"w#< {text % at if '%' in text else text}", range(clients)) for at in range(rounds))
    return [repeated(BEGIN, range(clients)), *(f"{tick}\n+ {every}" for tick in ticks)]


def test_what_a_broadcast_costs() -> None:
    finding = played(*broadcast(12, 20, 0.1)).found("chatty-broadcast")
    assert finding is not None
    assert finding.severity is Severity.INFO
    assert "240 messages" in finding.summary
    same = played(*broadcast(12, 20, 0.1, '42["tick"]')).found("chatty-broadcast")
    assert same is not None
    assert "240 messages" in same.summary


@pytest.mark.parametrize(("clients", "rounds", "every"), [(6, 20, 0.1), (12, 20, 1), (12, 5, 0.1)])
def test_smaller_broadcasts_are_not_worth_a_word(clients: int, rounds: int, every: float) -> None:
    assert played(*broadcast(clients, rounds, every)).found("chatty-broadcast") is None
