"""Reading a HAR: the same entries however it comes, all that is before a damage, and nothing raises."""

import gzip
import io
import json

import pytest
import zstandard

from eiosniff.capture import har as har_module
from eiosniff.capture.har_times import duration, instant, moment
from eiosniff.capture.source import open_source
from eiosniff.errors import CaptureError
from eiosniff.model.provenance import Side
from tests.har_files import BASE_S, OPEN, STARTED, har, poll, post, session, websocket
from tests.unit.capture.reading import Trickle

NS = 1_000_000_000
MS = 1_000_000


def read(data, wanted=lambda entry: True):
    """The entries of a file, and what is said of it."""
    with open_source("-", stdin=data if hasattr(data, "read") else io.BytesIO(data)) as source:
        entries = list(source.entries(wanted))
        return entries, [problem.text for problem in source.problems], source.packets


def plain(entry):
    answer = entry.answer
    return (
        entry.number, entry.method, entry.target, entry.body, entry.sent_ns, entry.ended_ns, entry.closed_ns,
        answer and (answer.status, answer.body, answer.headers),
        entry.messages and [(message.number, message.side, message.ts_ns, message.data) for message in entry.messages],
    )  # fmt: skip


def test_an_entry_has_what_was_said():
    (opening, said, *_), problems, count = read(har(*session()))
    assert (problems, count) == ([], 5)
    assert (opening.host, opening.port, opening.method, opening.version) == ("chat.example", 3000, b"GET", b"1.1")
    assert opening.target == b"/socket.io/?EIO=4&transport=polling"
    assert opening.answer.body == OPEN.encode()
    assert (opening.sent_ns, opening.ended_ns) == (BASE_S * NS, BASE_S * NS + 5 * MS)
    assert (said.method, said.body, said.answer.body) == (b"POST", b"40", b"ok")


def test_messages_have_their_instants_and_binary_ones_their_bytes():
    entries = read(har(*session()))[0]
    upgraded = entries[3]
    assert [message.data for message in upgraded.messages][-2:] == [b"\x01\x02", b"41"]
    assert [message.number for message in upgraded.messages] == list(range(1, 9))
    assert upgraded.messages[1].side is Side.SERVER
    assert upgraded.messages[0].ts_ns == BASE_S * NS + 22 * MS
    assert upgraded.closed_ns == BASE_S * NS + 904 * MS


def test_a_websocket_that_is_open_has_no_end():
    entry = read(har(websocket(0, [("S", 3, OPEN)], sid="")))[0][0]
    assert entry.closed_ns is None
    assert entry.ended_ns == BASE_S * NS + 3 * MS  # it was accepted before the first message


@pytest.mark.parametrize(
    "packed",
    [
        har(*session()),
        b"\xef\xbb\xbf" + har(*session()),
        b"\r\n " + har(*session()),
        json.dumps(json.loads(har(*session()))).encode(),
        json.dumps(json.loads(har(*session()))["log"]).encode(),
        gzip.compress(har(*session()), mtime=0),
        zstandard.compress(har(*session())),
    ],
    ids=["plain", "byte order mark", "blank", "in one line", "without log", "gzip", "zstd"],
)
@pytest.mark.parametrize("step", [7, 10_000])
def test_it_is_the_same_however_it_comes(packed, step):
    assert [plain(entry) for entry in read(Trickle(packed, step))[0]] == [
        plain(entry) for entry in read(har(*session()))[0]
    ]


def test_what_comes_before_a_cut_is_read():
    data = har(*session())
    whole = [plain(entry) for entry in read(data)[0]]
    first = data.index(b"startedDateTime")
    for end in range(first, len(data) - 30, 97):
        entries, problems, _ = read(data[:end])
        assert [plain(entry) for entry in entries] == whole[: len(entries)]
        assert len(problems) == 1
        assert "cut off" in problems[0]


def test_packed_data_that_are_cut_say_so():
    data = gzip.compress(har(*session()), mtime=0)
    entries, problems, _ = read(data[: len(data) * 2 // 3])
    assert problems
    assert len(entries) < 5


def test_an_entry_that_is_none_is_left_out_and_told_of():
    entries, problems, count = read(har(poll(0, "6"), 17, {"request": []}, "x", poll(5, "6")))
    assert [entry.number for entry in entries] == [1, 5]
    assert count == 5
    assert problems == ["3 of 5 entries cannot be read (entry 2 and others)"]


def test_an_entry_that_is_too_large_ends_the_reading(monkeypatch):
    monkeypatch.setattr(har_module, "MAX_ENTRY", 5_000)
    data = har(poll(0, "6"), poll(1, "x" * 9_000_000), poll(2, "6"))
    entries, problems, _ = read(data)
    assert [entry.number for entry in entries] == [1]
    assert "entry 2 has more than" in problems[0]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"{}", "standard input is JSON, but not a HAR"),
        (b'{"a": [1, "entries", {"entries": 5}]}', "standard input is JSON, but not a HAR"),
        (b'{"log": {"entries": {}}}', "standard input is JSON, but not a HAR"),
        (b'{"log": {"creator": "\\u0000', "standard input is JSON, but not a HAR"),
        (b"[" * 100_000, "standard input is not a capture"),
        (b'{"a":' * 100_000, "standard input is JSON, but not a HAR"),
        ('{"log": {}}'.encode("utf-16"), "standard input is text in UTF-16; eiosniff reads"),
        (b"5321:9:websocket;0:~8:response;", "standard input is a file of mitmproxy flows; make a HAR of it"),
    ],
)
def test_what_is_no_har_is_refused_in_one_line(data, line):
    with pytest.raises(CaptureError) as caught:
        read(data)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_nesting_numbers_and_bytes_that_are_no_text_do_not_end_the_reading():
    odd = [
        b'{"request": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"request": {"url": "http://a/socket.io/?EIO=4", "method": "GET", "x": 1e999999}, "time": NaN}',
        b'{"request": {"url": "http://a/socket.io/?EIO=4", "method": "G\xff\xfeT"}, "time": -Infinity}',
        b'{"request": {"url": "http://a/socket.io/?EIO=4", "url": "http://b/socket.io/?EIO=4", "method": "\\ud800"}}',
        b'{"request": {"url": "http://a/socket.io/?EIO=4"}, "time": ' + b"9" * 5000 + b"}",
    ]
    data = b'{"log": {"entries": [' + b",".join(odd) + b"]}}"
    entries = read(data)[0]
    assert [entry.host for entry in entries if entry.host][:3] == ["a", "a", "b"]


VALUES = [None, True, -1, 0, 1e308, 10**40, "", "x", "\x00\r\n", [], [None], {}, {"a": 1}, "http://", "wss://[::1"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_may_stand_anywhere(value):
    def replaced(part):
        """Each value of a part, in turn, replaced."""
        places = part.items() if isinstance(part, dict) else enumerate(part)
        for place, member in list(places):
            part[place] = value
            yield
            part[place] = member
            if isinstance(member, dict | list):
                yield from replaced(member)

    for entry in (post(0, "40"), websocket(5, [("S", 7, OPEN), ("C", 8, b"\x01")], sid="", closed=1)):
        for _ in replaced(entry):
            read(har(entry, poll(9, "6")))


@pytest.mark.parametrize(
    ("version", "expected"),
    [("HTTP/1.1", b"1.1"), ("http/2.0", b"2"), ("h2", b"2"), ("HTTP/2", b"2"), ("h3", b"3"), ("HTTP/1.0", b"1.0"),
     ("", b""), ("unknown", b"")],
)  # fmt: skip
def test_versions_are_written_in_many_ways(version, expected):
    entry = poll(0, "6")
    entry["request"]["httpVersion"] = version
    assert read(har(entry))[0][0].version == expected


def test_a_request_under_way_is_no_failure():
    chrome = poll(0, None, status=0)
    chrome["timings"]["blocked"] = -59_816_354.03
    firefox = poll(0, None, status=0)
    firefox["timings"] = {}
    failed = poll(0, None, status=0, _error="net::ERR_CONNECTION_REFUSED")
    unsaid = poll(0, None, status=0)
    pending = [(entry.pending, entry.error) for entry in read(har(chrome, firefox, failed, unsaid))[0]]
    assert pending == [(True, ""), (True, ""), (False, "net::ERR_CONNECTION_REFUSED"), (False, "")]


@pytest.mark.parametrize("status", [-1, 0], ids=["Playwright", "HTTP Toolkit"])
def test_a_time_of_minus_one_is_a_request_under_way(status):
    waiting = poll(0, None, took=-1, status=status, content={"size": -1, "mimeType": "x-unknown"}, bodySize=-1)
    failed = poll(0, None, took=-1, status=status, _failureText="net::ERR_CONNECTION_REFUSED")
    words = poll(0, None, took=-1, status=status, _failureText="Error in connection: net::ERR_NAME_NOT_RESOLVED")
    assert [(entry.pending, entry.error) for entry in read(har(waiting, failed, words))[0]] == [
        (True, ""), (False, "net::ERR_CONNECTION_REFUSED"), (False, "net::ERR_NAME_NOT_RESOLVED"),
    ]  # fmt: skip


def test_a_body_of_unknown_size_is_not_empty():
    unknown = poll(0, None, content={"size": -1, "_file": "9703c0fb.txt"}, bodySize=-1)
    nothing = poll(0, None, content={}, bodySize=0)
    assert [entry.answer.body for entry in read(har(unknown, nothing))[0]] == [None, b""]
    omitted, minimal, none, real = post(0, ""), post(0, ""), post(0, ""), post(0, "40")
    omitted["request"]["bodySize"] = 2
    minimal["request"]["bodySize"] = -1
    assert [entry.body for entry in read(har(omitted, minimal, none, real))[0]] == [None, None, b"", b"40"]


def test_bodies_may_be_base64_missing_or_taken_out():
    encoded, missing, taken = poll(0, "NjY="), poll(0, None), poll(0, "[text redacted]")
    encoded["response"]["content"]["encoding"] = "base64"
    missing["response"]["content"]["size"] = 6
    entries = read(har(encoded, missing, taken))[0]
    assert [entry.answer.body for entry in entries] == [b"66", None, None]


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://user:secret@chat.example/socket.io?EIO=4#x", "chat.example", 443, b"/socket.io?EIO=4"),
        ("ws://[2001:db8::1]:8080", "2001:db8::1", 8080, b"/"),
        ("http://a?EIO=4 5", "a", 80, b"/?EIO=4%205"),
        ("data:text/plain,EIO=4", "", 0, b""),
        ("http://a:99999/", "", 0, b""),
    ],
)
def test_urls(url, host, port, target):
    entry = poll(0, "6")
    entry["request"]["url"] = url
    found = read(har(entry))[0][0]
    assert (found.host, found.port, found.target) == (host, port, target)


def test_what_is_not_wanted_has_only_its_head():
    entry = read(har(poll(0, "6" * 100)), wanted=lambda entry: False)[0][0]
    assert (entry.target, entry.answer) == (b"/socket.io/?EIO=4&transport=polling" + b"&sid=sid-of-test-1", None)


@pytest.mark.parametrize(
    ("text", "ns", "precision"),
    [
        (f"{STARTED}.449Z", BASE_S * NS + 449 * MS, MS),
        (f"{STARTED}.449123+00:00", BASE_S * NS + 449_123_000, 1000),
        ("2026-11-26T11:05:50.4491234+01:00", BASE_S * NS + 449_123_400, 100),
        ("2026-11-26T05:05:50-0500", BASE_S * NS, NS),
        ("1969-12-31T23:59:59.000Z", 0, 0),
        ("2026-13-45T00:00:00Z", 0, 0),
        ((BASE_S + 0.449) * 1000, BASE_S * NS + 449 * MS, MS),
        ("yesterday", 0, 0),
        (None, 0, 0),
    ],
)
def test_instants(text, ns, precision):
    assert moment(text) == (ns, precision)


def test_messages_on_another_clock_count_from_the_request_and_those_on_none_are_not_taken():
    said = [("S", 0, OPEN), ("C", 0, "40"), ("S", 0, "2")]
    monotonic, some, none = websocket(7, said), websocket(7, said), websocket(7, said)
    for entry, times in (
        (monotonic, (59_831.5, 59_831.75, 59_832.5)),
        (some, (BASE_S + 1, -1, None)),
        (none, [-1] * 3),
    ):
        for message, time in zip(entry["_webSocketMessages"], times, strict=True):
            message["time"] = time
    entries = read(har(monotonic, some, none))[0]
    begun = BASE_S * NS + 7 * MS
    assert [message.ts_ns for message in entries[0].messages] == [begun, begun + NS // 4, begun + NS]
    assert [message.ts_ns for message in entries[1].messages] == [(BASE_S + 1) * NS] * 3
    assert entries[2].messages is None


def test_instants_of_messages_come_in_several_units():
    ms = BASE_S * NS + 449 * MS
    assert instant(BASE_S + 0.449) == instant((BASE_S + 0.449) * 1e3) == instant((BASE_S + 0.449) * 1e6) == ms
    assert instant(f"{STARTED}.449Z") == ms
    assert [instant(value) for value in (59_831.6, -5, True, float("inf"), 10**400)] == [0, 0, 0, 0, 0]
    assert [duration(value) for value in (-1, 1.5, "3", 1e300)] == [0, 1_500_000, 0, 0]
