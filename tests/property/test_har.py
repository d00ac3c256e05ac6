"""Whatever JSON a HAR holds, and wherever it is cut, nothing raises and all that is read is told in order."""

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.errors import CaptureError
from eiosniff.model.summary import CaptureSummary
from tests.har_files import OPEN, har, poll, post, session, websocket

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([OPEN, "40", "6"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def decode(data: bytes, step: int = 1000) -> list[Any]:
    told: list[Any] = []
    stack = Stack(CaptureSummary("x"), told.append)
    decoder = stack.entries()
    try:
        with open_source("-", stdin=io.BytesIO(data)) as source:
            for entry in source.entries(decoder.is_wanted):
                decoder.add(entry)
    except CaptureError:
        return []
    for _ in decoder.steps(step):
        stack.retired()
    stack.close()
    assert stack.crashes == []
    return [(packet.completed, packet.session, packet.engineio.data) for packet in told]


@st.composite
def entries(draw: st.DrawFn) -> list[Any]:
    """Entries in which some values were replaced."""
    made: list[Any] = [*session(), post(50, "40"), websocket(60, [("S", 61, OPEN)], sid="", closed=2), poll(70, "x")]
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(made) - 1))
        part, place = made, at
        while isinstance(part[place], dict | list) and part[place] and draw(st.booleans()):
            part = part[place]
            place = draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        part[place] = draw(VALUES)
    return made


@given(entries(), st.integers(1, 20))
def test_replaced_values_raise_nothing_and_pauses_change_nothing(made, step):
    data = har(*made)
    assert decode(data, step) == decode(data)


@given(VALUES)
def test_any_json_is_read_or_refused(value):
    decode(json.dumps(value).encode())
    decode(har(value))


@given(st.binary(max_size=300), st.integers(0, 20_000))
def test_bytes_that_are_put_in_raise_nothing(garbage, at):
    data = har(*session())
    decode(data[:at] + garbage + data[at:])


@given(st.integers(0, 20_000))
def test_a_cut_file_tells_what_comes_before(end):
    decode(har(*session())[:end])
