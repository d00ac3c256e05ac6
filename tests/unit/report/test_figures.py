from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.report.figures import counted, display_filter, duration, iso_time, milliseconds, relative, size


@pytest.mark.parametrize(
    ("ts_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_611_457_696_123_456_789, "2021-01-24T03:08:16.123456789Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (253_402_300_800_000_000_000, "+10000-01-01T00:00:00.000000000Z"),
        (2**63, "2262-04-11T23:47:16.854775808Z"),
    ],
)
def test_instants(ts_ns: int, text: str) -> None:
    assert iso_time(ts_ns) == text


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_instants_agree_with_datetime(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    ts_ns = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
    assert iso_time(ts_ns) == moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%f000Z")


@given(st.integers(-(2**80), 2**80))
def test_any_instant_can_be_written(ts_ns: int) -> None:
    assert iso_time(ts_ns).endswith("Z")


@pytest.mark.parametrize(
    ("ns", "value"), [(20_012_345_678, 20_012), (800_000, 0.8), (812_345, 0.812), (2_000_000, 2), (0, 0)]
)
def test_milliseconds_are_whole_where_they_can_be(ns: int, value: float) -> None:
    assert milliseconds(ns) == value
    assert isinstance(milliseconds(ns), type(value))


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"), (1, "<0.1 ms"), (50_000, "0.1 ms"),
        (800_000, "0.8 ms"), (9_960_000, "10 ms"), (12_000_000, "12 ms"), (999_600_000, "1.0 s"),
        (20_503_000_000, "20.5 s"), (119_960_000_000, "2 min 0 s"), (725_000_000_000, "12 min 5 s"),
        (11_520_000_000_000, "3 h 12 min"), (7_199_600_000_000, "2 h 0 min"), (190_000_000_000_000, "2 d 4 h"),
    ],
)  # fmt: skip
def test_durations(ns: int, text: str) -> None:
    assert duration(ns) == text


def test_relative_times_are_those_of_wireshark() -> None:
    assert relative(1_019_501_499_999, 1_000_000_000_000) == "19.501"
    assert relative(5, None) == "0.000"
    assert relative(0, 1_500_000_000) == "-1.500"


def test_sizes_and_counts() -> None:
    assert [size(number) for number in (1, 17, 3_400, 1_200_000, 5_000_000_000, 7 * 10**12)] == [
        "1 byte", "17 bytes", "3.4 kB", "1.2 MB", "5.0 GB", "7.0 TB",
    ]  # fmt: skip
    assert counted(1, "packet") == "1 packet"
    assert counted(1_234, "entry", "entries") == "1,234 entries"


def test_a_display_filter_names_each_packet_once() -> None:
    assert display_filter([36, 34, 36]) == "frame.number in {34, 36}"
    assert not display_filter([])
