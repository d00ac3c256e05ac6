"""msgpack as Socket.IO parsers write it, turned into JSON."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from eiosniff.decode.socketio import msgpack
from eiosniff.decode.socketio.msgpack import MsgpackError, MsgpackReader, TooManyError


def json_of(message: bytes) -> str:
    reader = MsgpackReader(message, 10)
    text = reader.json().decode()
    assert reader.ended
    return text


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        *(sign * 2**bits + more for bits in (0, 5, 7, 8, 15, 16, 31, 32) for sign in (1, -1) for more in (-1, 0)),
        2**64 - 1,
        -(2**63),
        21.5,
        -1e300,
        "",
        "온도 🌡️",
        'a "quoted" \\ text\n\x00',
        "x" * 40,
        "x" * 300,
        "x" * 70_000,
        [],
        {},
        [[], [[]], {"a": {}}],
        list(range(20)),
        list(range(70_000)),
        {"a": 1, "b": [True, None, {"c": "d"}], "e": {}},
        {f"key {number}": number for number in range(20)},
        {f"key {number}": [number] for number in range(70_000)},
    ],
)
def test_values(value: object) -> None:
    assert json.loads(json_of(msgspec.msgpack.encode(value))) == value


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("cb7ff8000000000000", "null"),  # NaN
        ("ca3f000000", "0.5"),
        ("d7000000018bcfe56800", '"2023-11-14T22:13:20.000Z"'),  # notepack.io: a Date
        ("d700ffffffffffffffff", '"1969-12-31T23:59:59.999Z"'),
        ("d7007fffffffffffffff", "null"),  # an invalid one
        ("d40000", ""),  # notepack.io: undefined
        ("92d4000001", "[null,1]"),
        ("82a161d40000a16201", '{"b":1}'),
        ("82a16101a162d40000", '{"a":1}'),
        ("83a16101a162d40000a16302", '{"a":1,"c":2}'),
        ("81a161d40000", "{}"),
        ("81a16181a162d40000", '{"a":{}}'),
        ("8107a161", '{"7":"a"}'),  # Python writes such keys
        ("a2c328", '"\ufffd("'),
        ("d6ff6553f100", '"2023-11-14T22:13:20.000Z"'),  # the timestamp of the specification, in 4, 8 and 12 bytes
        ("d7ff77359400" + "6553f100", '"2023-11-14T22:13:20.500Z"'),
        ("c70cff1dcd65000000000065" + "53f100", '"2023-11-14T22:13:20.500Z"'),
    ],
)
def test_what_json_has_no_word_for(message: str, text: str) -> None:
    assert json_of(bytes.fromhex(message)) == text


def test_timestamps_as_python_writes_them() -> None:
    date = datetime(2024, 2, 29, 12, 30, 45, 250_000, UTC)
    assert json_of(msgspec.msgpack.encode(date)) == '"2024-02-29T12:30:45.250Z"'


def test_binary_data_is_taken_out() -> None:
    reader = MsgpackReader(
        bytes.fromhex("95" + "c4020102" + "c703000a0b0c" + "c40" + "0" + "d60501020304" + "c7010501"), 10
    )
    assert json.loads(reader.json()) == [
        {"_placeholder": True, "num": 0},
        {"_placeholder": True, "num": 1},
        {"_placeholder": True, "num": 2},
        {"_placeholder": True, "num": 3, "ext": 5},
        {"_placeholder": True, "num": 4, "ext": 5},
    ]
    assert reader.attachments == [b"\x01\x02", b"\x0a\x0b\x0c", b"", b"\x01\x02\x03\x04", b"\x01"]


def test_an_array_buffer_of_the_length_of_a_date_is_none() -> None:
    reader = MsgpackReader(bytes.fromhex("c70800000000018bcfe568"), 10)
    assert json.loads(reader.json()) == {"_placeholder": True, "num": 0}
    assert reader.attachments == [bytes.fromhex("000000018bcfe568")]


@pytest.mark.parametrize("message", ["", "c1", "a3aa", "d9", "92ff", "dd7fffffff00", "df7fffffff", "81c0c0", "8190c0"])
def test_what_is_no_msgpack(message: str) -> None:
    with pytest.raises(MsgpackError):
        MsgpackReader(bytes.fromhex(message), 10).json()


@pytest.mark.parametrize("message", ["", "c1", "a3aa", "dd7fffffff00", "df7fffffff"])
def test_what_cannot_be_skipped(message: str) -> None:
    with pytest.raises(MsgpackError):
        MsgpackReader(bytes.fromhex(message), 10).skip()


def test_any_depth() -> None:
    depth = 200_000
    reader = MsgpackReader(b"\x91" * depth + b"\xc0", 10)
    assert len(reader.json()) == 2 * depth + len("null")
    reader.at = 0
    reader.skip()
    assert reader.ended


def test_skipping_ends_where_the_value_does() -> None:
    value = {"a": [1, b"xy", 2.5, "z", -1000], "b": datetime(2024, 1, 1, tzinfo=UTC), "c": None}
    message = msgspec.msgpack.encode(value)
    reader = MsgpackReader(message + b"\xc3", 10)
    reader.skip()
    assert reader.at == len(message)
    assert reader.json() == b"true"


def test_too_many_attachments() -> None:
    with pytest.raises(TooManyError):
        MsgpackReader(b"\x9b" + b"\xc4\x00" * 11, 10).json()


@pytest.mark.interpreted
def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgpack, "MAX_VALUES", 10)
    with pytest.raises(TooManyError):
        MsgpackReader(b"\x9a" + b"\xc0" * 10, 10).json()
