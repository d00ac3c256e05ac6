"""Capturing programs: what they write and say, as long as they live and from one life to the next."""

import os
import signal
import struct
from typing import NamedTuple

import pytest

from eiosniff.capture.live import programs
from eiosniff.capture.live.opener import DirectOpener, Opener, Started
from eiosniff.capture.live.program_words import LINE_LIMIT, Reason, Words
from eiosniff.capture.live.programs import (
    BackendError,
    ProgramSource,
    RightsError,
    dumpcap,
    open_program,
    tcpdump,
)
from eiosniff.capture.live.source import State
from eiosniff.errors import CaptureError
from tests.unit.capture.blocks import block, enhanced, interface, option, pcap_header, pcap_record, section

NONE = "nosuch0"  # an interface that no machine has: nothing is asked about it
LISTENING = b"tcpdump: listening on nosuch0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n"
PCAPNG = section() + interface()


def record(number):
    return pcap_record(bytes([number]) * 40, seconds=number)


def statistics(dropped):
    return block(5, bytes(12) + option(5, struct.pack("<Q", dropped)))


class Life(NamedTuple):
    """A program that a test plays."""

    stdout: int
    stderr: int

    def write(self, data):
        os.write(self.stdout, data)

    def say(self, text):
        os.write(self.stderr, text)

    def end(self, text=b""):
        self.say(text)
        os.close(self.stdout)
        os.close(self.stderr)


class Stage(Opener):
    """Starts programs that the test plays. `first` is what they write at once, `says` what they say."""

    def __init__(self, first=b"", says=b"", *, ends=False):
        self.first, self.says, self.ends = first, says, ends
        self.commands = []
        self.lives = []
        self.signals = []
        self.code = 0
        self.on_signal = None

    @property
    def life(self):
        return self.lives[-1]

    def start(self, command):
        self.commands.append(list(command))
        (reading, writing), (hearing, saying) = os.pipe(), os.pipe()
        self.lives.append(Life(writing, saying))
        self.life.write(self.first)
        self.life.say(self.says)
        if self.ends:
            self.life.end()
        return Started(1000 + len(self.lives), reading, hearing)

    def signal(self, pid, number):
        self.signals.append(number)
        if self.on_signal is not None:
            self.on_signal(number)

    def reap(self, pid):
        return self.code

    def packet_socket(self, interface, expression):
        raise NotImplementedError

    def close(self):
        pass


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def opened(stage, program=None):
    clock = Clock()
    source = ProgramSource(program or tcpdump("tcpdump", NONE, "", ""), stage, clock=clock)
    source.wait()
    return source, clock


def numbers(source):
    return [int(number) for batch in source.take() for number in batch.number]


def test_how_they_are_run():
    command = dumpcap("/bin/dumpcap", "eth0", "tcp port 80").command
    assert command[0] == "/bin/dumpcap"
    assert command[command.index("-f") + 1] == "tcp port 80"
    assert int(command[command.index("-B") + 1]) == 64  # MiB
    command = tcpdump("/bin/tcpdump", "eth0", "-w /etc/passwd", "alice").command
    assert command[-2:] == ("--", "-w /etc/passwd")  # is no option
    assert int(command[command.index("-B") + 1]) == 64 << 10  # KiB
    assert command[command.index("-Z") + 1] == "alice"
    assert "-U" in command  # each packet at once
    assert "-f" not in dumpcap("dumpcap", "eth0", "").command
    assert "-Z" not in tcpdump("tcpdump", "eth0", "", "").command


def test_packets_come_and_are_counted():
    stage = Stage(pcap_header())
    source, _ = opened(stage)
    assert (source.backend, source.format, source.name) == ("tcpdump", "pcap", NONE)
    assert source.take() == []
    stage.life.write(record(1) + record(2))
    assert numbers(source) == [1, 2]
    assert (source.packets, source.captured_bytes, source.link_types) == (2, 80, [1])
    assert (source.first_ns, source.last_ns) == (10**9, 2 * 10**9)
    stage.life.end()
    source.close()


def test_a_program_that_ends_is_started_again_and_numbers_go_on():
    stage = Stage(pcap_header())
    source, clock = opened(stage)
    stage.life.write(record(1) + record(2)[:30])
    stage.life.end(LISTENING + b"tcpdump: pcap_loop: The interface disappeared\n3 packets dropped by kernel\n")
    assert numbers(source) == [1]
    assert (source.state, source.note) == (State.WAITING, "nosuch0 is gone")
    assert source.problems == []  # a packet that was lost with the interface is none
    assert source.fileno() == -1
    assert source.dropped == 3

    source.poll()
    assert len(stage.commands) == 1  # within a second of the last try
    clock.now_s += 1
    stage.first, stage.says, stage.ends = b"", b"tcpdump: nosuch0: No such device exists\n", True
    source.poll()
    assert source.take() == []
    assert (source.state, source.note) == (State.WAITING, "nosuch0 is gone")

    clock.now_s += 1
    stage.first, stage.says, stage.ends = pcap_header(link_type=113), LISTENING, False
    source.poll()
    assert stage.commands[0] == stage.commands[2]
    assert source.state is State.WAITING  # it may fail yet
    stage.life.write(record(2))
    assert numbers(source) == [2]
    assert (source.state, source.note) == (State.RUNNING, "")
    assert source.link_types == [1, 113]
    assert source.dropped == 3
    stage.life.say(b"tcpdump: 1 packet captured, 1 packet received by filter, 4 packets dropped by kernel\n")
    source.poll()
    assert source.dropped == 7
    stage.life.end()
    source.close()


@pytest.mark.parametrize(
    ("said", "code", "note"),
    [
        (b"", -9, "tcpdump was ended by signal 9"),
        (b"", 1, "tcpdump ended"),
        (b"tcpdump: pcap_loop: strange \x1b[31m things\n", 1, "tcpdump ended: pcap_loop: strange ?[31m things"),
        (b"tcpdump: nosuch0: That device is not up\n", 1, "nosuch0 is down"),
        (b"tcpdump: nosuch0: You don't have permission to\n", 1, "tcpdump may not capture on nosuch0 any more"),
    ],
)
def test_why_it_ended(said, code, note):
    stage = Stage(pcap_header())
    source, _ = opened(stage)
    stage.code = code
    stage.life.end(said)
    source.take()
    assert (source.state, source.note) == (State.WAITING, note)
    source.close()


def test_last_words_may_come_after_the_last_packet():
    stage = Stage(pcap_header())
    source, _ = opened(stage)
    os.close(stage.life.stdout)
    source.take()
    assert source.fileno() >= 0  # what there is to wait for now
    stage.life.say(b"2 packets dropped by kernel\n")
    os.close(stage.life.stderr)
    source.take()
    assert source.state is State.WAITING
    assert source.dropped == 2
    source.close()


def test_a_program_that_cannot_be_started_again_is_tried_on(monkeypatch):
    stage = Stage(pcap_header())
    source, clock = opened(stage)
    stage.life.end()
    source.take()
    clock.now_s += 1

    def fail(command):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(stage, "start", fail)
    source.poll()
    assert source.state is State.WAITING
    assert "Cannot allocate memory" in source.note
    monkeypatch.undo()
    clock.now_s += 1
    source.poll()
    source.take()
    assert source.state is State.RUNNING
    stage.life.end()
    source.close()


def test_tcpdump_is_asked_for_its_counters_once_it_takes_signals():
    stage = Stage(pcap_header())
    source, clock = opened(stage)
    source.poll()
    assert stage.signals == []  # would end it
    stage.life.say(LISTENING)
    source.poll()
    assert stage.signals == [signal.SIGUSR1]
    for piece in (
        b"tcpdump: ",
        b"8 packets captured",
        b", 8 packets received by filter, 1",
        b"2 packets",
        b" dropped by",
    ):
        stage.life.say(piece)
        source.poll()
        assert source.dropped is None
    stage.life.say(b" kernel, 1 packet dropped by interface\n")
    source.poll()
    assert source.dropped == 13
    assert stage.signals == [signal.SIGUSR1]
    clock.now_s += 2
    source.poll()
    assert stage.signals == [signal.SIGUSR1] * 2
    stage.life.end()
    source.close()


def test_dumpcap_tells_its_counters_when_it_is_ended():
    stage = Stage(PCAPNG)
    source, clock = opened(stage, dumpcap("dumpcap", NONE, ""))
    clock.now_s += 10
    source.poll()
    assert stage.signals == []
    assert source.dropped is None

    def end(number):
        stage.life.write(enhanced(b"last") + statistics(9))
        stage.life.end()

    stage.on_signal = end
    stage.life.write(enhanced(b"first"))
    source.close()
    assert stage.signals == [signal.SIGTERM]
    assert (source.state, source.dropped) == (State.ENDED, 9)
    assert numbers(source) == [1, 2]  # nothing is lost that came before the end
    assert source.take() == []
    source.close()


def test_a_program_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(programs, "ENDING_S", 0.02)
    stage = Stage(pcap_header())
    source, _ = opened(stage)
    source.close()
    assert stage.signals == [signal.SIGTERM, signal.SIGKILL]
    assert source.state is State.ENDED
    stage.life.end()


def test_a_program_that_may_not_be_signalled():
    """As tcpdump, which root started and which is another user since."""
    stage = Stage(pcap_header(), LISTENING)
    source, _ = opened(stage)

    def refuse(number):
        raise PermissionError

    stage.on_signal = refuse
    source.poll()
    stage.life.end()
    source.close()


def test_damage_ends_it():
    stage = Stage(pcap_header())
    source, clock = opened(stage)
    stage.life.write(record(1))
    stage.life.end()
    source.take()
    clock.now_s += 1
    source.poll()
    stage.life.write(record(2) + pcap_record(b"x", claimed=1 << 30))
    assert numbers(source) == [2]
    assert source.state is State.ENDED
    assert [problem.packet for problem in source.problems] == [2]
    assert source.note == source.problems[0].text
    source.poll()
    assert len(stage.commands) == 2
    source.close()
    assert source.note
    stage.life.end()


def test_a_program_that_writes_no_more_is_ended():
    stage = Stage(pcap_header())
    source, _ = opened(stage)
    os.close(stage.life.stdout)
    source.take()
    source.poll()
    assert stage.signals == [signal.SIGTERM]
    os.close(stage.life.stderr)
    source.poll()
    assert source.state is State.WAITING
    source.close()


# What the programs say when they cannot begin, as dumpcap 4.0.17 and tcpdump 4.99.3 said it.

MAY_NOT = b"""Capturing on 'nosuch0'
dumpcap: You do not have permission to capture on device "nosuch0".
(socket: Operation not permitted)
Please check to make sure you have sufficient permissions.

On Debian and Debian derivatives such as Ubuntu, if you have installed Wireshark from a package, try running
"""
BAD_FILTER = b"""Capturing on 'nosuch0'
dumpcap: Invalid capture filter "no permission" for interface 'nosuch0'.

That string isn't a valid capture filter (can't parse filter expression: syntax error).
See the User's Guide for a description of the capture filter syntax.
"""


@pytest.mark.parametrize(
    ("program", "said", "kind", "problem"),
    [
        (dumpcap, MAY_NOT, RightsError, "dumpcap may not capture on nosuch0"),
        (dumpcap, BAD_FILTER, CaptureError, "the filter 'no permission' cannot be used: can't parse filter expression"),
        (dumpcap, b'dumpcap: There is no device named "nosuch0".\n', CaptureError, "there is no interface 'nosuch0'"),
        (dumpcap, b"dumpcap: No wish to\n", BackendError, "dumpcap does not capture on nosuch0: No wish to"),
        (dumpcap, b"", BackendError, "dumpcap does not capture on nosuch0: it does not say why"),
        (tcpdump, b"tcpdump: nosuch0: No such device exists\n", CaptureError, "there is no interface 'nosuch0'"),
        (
            tcpdump,
            b"tcpdump: nosuch0: You don't have permission to perform this capture on that device\n",
            RightsError,
            "tcpdump may not capture on nosuch0",
        ),
        (
            tcpdump,
            b"tcpdump: data link type LINUX_SLL2\ntcpdump: can't parse filter expression: syntax error\n",
            CaptureError,
            "the filter 'no permission' cannot be used: can't parse filter expression: syntax error",
        ),
        (
            tcpdump,
            b"tcpdump: Couldn't find user 'alice'\n",
            BackendError,
            "tcpdump does not capture on nosuch0: Couldn't find user 'alice'",
        ),
    ],
)
def test_why_it_does_not_begin(program, said, kind, problem):
    more = ("alice",) if program is tcpdump else ()
    stage = Stage(says=said, ends=True)
    with pytest.raises(CaptureError) as caught:
        open_program(program("there", NONE, "no permission", *more), stage)
    assert type(caught.value) is kind
    assert caught.value.problem.startswith(problem)
    assert caught.value.remedy
    assert stage.signals == []


def test_an_interface_that_is_down_is_waited_for():
    stage = Stage(says=b'dumpcap: Device "nosuch0" is not up.\n(That device is not up)\n', ends=True)
    source, clock = opened(stage, dumpcap("dumpcap", NONE, ""))
    assert (source.state, source.note) == (State.WAITING, "nosuch0 is down")
    stage.first, stage.says, stage.ends = PCAPNG, b"", False
    clock.now_s += 1
    source.poll()
    source.take()
    assert source.state is State.RUNNING
    stage.life.end()
    source.close()


def test_a_program_that_says_nothing_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(programs, "PATIENCE_S", 0.02)
    monkeypatch.setattr(programs, "ENDING_S", 0.02)
    stage = Stage(pcap_header()[:10])
    with pytest.raises(BackendError, match="did not begin to capture on nosuch0"):
        open_program(tcpdump("tcpdump", NONE, "", ""), stage)
    assert stage.signals == [signal.SIGTERM, signal.SIGKILL]
    stage.life.end()


def test_a_program_that_hangs_when_it_is_started_again_is_killed():
    stage = Stage(pcap_header())
    source, clock = opened(stage)
    stage.life.end()
    source.take()
    stage.first = b""
    clock.now_s += 1
    source.poll()
    clock.now_s += programs.PATIENCE_S
    source.poll()
    assert stage.signals == [signal.SIGKILL]
    stage.life.end()
    source.close()


@pytest.mark.parametrize(
    ("path", "kind", "problem"),
    [
        ("/etc/passwd", RightsError, "dumpcap may not be started by you"),
        ("/nowhere/at/all", BackendError, "cannot be started"),
    ],
)
def test_a_program_that_cannot_be_started(path, kind, problem):
    opener = DirectOpener()
    with pytest.raises(kind, match=problem):
        open_program(dumpcap(path, NONE, ""), opener)
    opener.close()


def test_what_a_program_says_takes_little_memory_and_no_harm():
    words = Words("tcpdump", "eth0", "")
    words.hear(b"tcpdump: \x1b]0;title\x07\xff" + b"x" * 100_000)
    words.hear(b"x" * 100_000 + b"\n")
    words.hear(b"and more\n" * 100_000)
    reason, text = words.ending()
    assert reason is Reason.OTHER
    assert text.isprintable()
    assert len(text) <= LINE_LIMIT
    words.hear(b"9" * 400 + b" packets dropped by kernel\n")
    assert words.dropped is None or words.dropped < 10**18
