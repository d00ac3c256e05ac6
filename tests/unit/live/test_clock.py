"""The clock of a running capture, with a real clock that the test moves."""

from eiosniff.live.clock import CaptureClock

S = 1_000_000_000
EPOCH = 1_760_000_000 * S


class Real:
    def __init__(self) -> None:
        self.ns = 5 * S

    def __call__(self) -> int:
        return self.ns


def test_before_the_first_packet_there_is_no_time() -> None:
    real = Real()
    clock = CaptureClock(real)
    real.ns += 100 * S
    assert clock.now_ns is None


def test_packets_set_it_and_silence_moves_it_on() -> None:
    real = Real()
    clock = CaptureClock(real)
    clock.packets(EPOCH, EPOCH)
    assert clock.now_ns == EPOCH
    real.ns += 10 * S
    assert clock.now_ns is not None
    assert EPOCH + 9 * S < clock.now_ns < EPOCH + 10 * S


def test_what_a_pipe_holds_back_is_no_silence() -> None:
    """A program that fills its buffer before it writes: packets come 20 s late, in lumps."""
    real = Real()
    clock = CaptureClock(real)
    clock.packets(EPOCH, EPOCH)
    real.ns += 30 * S
    clock.packets(EPOCH + 10 * S, EPOCH + 29 * S)  # the first of them was 20 s old
    real.ns += 19 * S
    assert clock.now_ns == EPOCH + 29 * S  # the next lump may hold whatever came in this time
    real.ns += 10 * S
    assert clock.now_ns is not None
    assert EPOCH + 38 * S < clock.now_ns < EPOCH + 39 * S


def test_a_recording_that_is_replayed_at_speed_has_no_silences() -> None:
    real = Real()
    clock = CaptureClock(real)
    for hour in range(24):
        clock.packets(EPOCH + hour * 3600 * S, EPOCH + (hour * 3600 + 3599) * S)
        assert clock.now_ns == EPOCH + (hour * 3600 + 3599) * S
        real.ns += S


def test_a_delay_is_forgotten_after_some_minutes() -> None:
    real = Real()
    clock = CaptureClock(real)
    clock.packets(EPOCH, EPOCH + 20 * S)
    for second in range(1, 200):
        real.ns += S
        clock.packets(EPOCH + (20 + second) * S, EPOCH + (20 + second) * S)
    real.ns += 5 * S
    assert clock.now_ns is not None
    assert clock.now_ns > EPOCH + (20 + 199 + 4) * S


def test_it_stands_still_while_nothing_can_come() -> None:
    real = Real()
    clock = CaptureClock(real)
    clock.packets(EPOCH, EPOCH)
    clock.stop()
    real.ns += 60 * S
    assert clock.now_ns == EPOCH
    clock.packets(EPOCH + 61 * S, EPOCH + 61 * S)
    assert clock.now_ns == EPOCH + 61 * S


def test_a_clock_that_was_set_back_is_followed() -> None:
    real = Real()
    clock = CaptureClock(real)
    clock.packets(EPOCH, EPOCH)
    real.ns += S
    clock.packets(EPOCH - 3600 * S, EPOCH - 3600 * S)
    assert clock.now_ns == EPOCH - 3600 * S
