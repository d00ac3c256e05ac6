"""What works on this system: programs, rights and libraries that eiosniff uses, as facts for `eiosniff doctor`.

Nothing here raises, and all programs together get a few seconds.
"""

import importlib.util
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import metadata
from typing import IO, NamedTuple, TypeVar

from eiosniff.capture import tshark_program
from eiosniff.capture.live import capabilities, devices, rights
from eiosniff.capture.live.surroundings import Program, Surroundings, find_program, look_around, remedy

_T = TypeVar("_T")

CAPTURE, PROGRAMS = "capture", "programs"

_PATIENCE_S = 4.0
_LOOK_AGAIN_S = 0.01
_MOST_OUTPUT = 4000
_MOST_FILE = 1_000_000
_MOST_WORDS = 200
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_LIBPCAP = re.compile(r"libpcap version (\d+(?:\.\d+)+)")
_NO_RIGHTS = re.compile(r"not permitted|permission", re.IGNORECASE)
_ETHERNET = 1  # its link type
# Of a program that was started nothing else is asked than to open an interface, and to say how it would be captured.
_TRIAL = ("-L", "-i")
# The backends in the order in which they are tried, and the names of the facts about them.
_BACKENDS = {"scapy": "socket", "dumpcap": "dumpcap", "tcpdump": "tcpdump"}
_CAPTURES_FOR = {
    "dumpcap": "live captures without rights of eiosniff's own",
    "tcpdump": "live captures without the others",
}
# By the names of their packages: what each is for, and whether eiosniff does without.
_LIBRARIES = {
    "numpy": ("reading captures", True),
    "msgspec": ("reading payloads", True),
    "zstandard": ("captures and bodies in zstd", True),
    "scapy": ("capturing through a socket, filters, captures of Wi-Fi", True),
    "rich": ("reports and the live view", True),
    "Brotli": ("HTTP bodies in br", False),
    "cryptography": ("decrypting TLS", False),
    "hpack": ("reading HTTP/2", False),
    "pylsqpack": ("reading WebTransport (HTTP/3)", False),
    "pyshark": ("having tshark decrypt", False),
}
_TSHARK_FOR = "decrypting WebTransport (QUIC), and TLS with CBC; looking at what a report shows as proof"
_OTHER_NAMES = {"Brotli": "brotlicffi"}


class Status(Enum):
    """How it is with something. What is ABSENT is not needed, though it may be of use."""

    OK = "ok"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(slots=True, frozen=True)
class Fact:
    """One thing that was looked at. `text` says how it is, `needed_for` what goes without it, `remedy` what to do; both
    are empty where all is well. Texts may quote programs and are to be sanitised."""

    area: str
    name: str
    status: Status
    text: str
    needed_for: str = ""
    remedy: str = ""


@dataclass(slots=True)
class Health:
    """All of it. `backends` are those that may capture here, first the one that is taken without a word; without any,
    `remedy` says what to do."""

    system: str
    facts: list[Fact] = field(default_factory=list)
    backends: list[str] = field(default_factory=list)
    remedy: str = ""

    @property
    def analyzes(self) -> bool:
        """Whether captures can be read."""
        return not any(fact.status is Status.BROKEN and fact.area != CAPTURE for fact in self.facts)

    @property
    def captures(self) -> bool:
        """Whether an interface can be captured."""
        return self.analyzes and bool(self.backends)


class Ran(NamedTuple):
    """What became of a program: its exit code (None: it could not be started, or took too long), and what it printed;
    in `errors` also why it did not end."""

    code: int | None
    output: str = ""
    errors: str = ""


class System:
    """What is asked of this system. Tests have others."""

    def look_around(self) -> Surroundings:
        """See `surroundings.look_around`."""
        return look_around()

    def invoking_user(self) -> rights.User | None:
        """See `rights.invoking_user`."""
        return rights.invoking_user()

    def find_program(self, name: str) -> Program | None:
        """See `surroundings.find_program`."""
        return find_program(name)

    def run(self, commands: Sequence[Sequence[str]]) -> list[Ran]:
        """Run programs, all at the same time and for a few seconds at most."""
        deadline = time.monotonic() + _PATIENCE_S
        runs = [_Run(command) for command in commands]
        while any([run.runs() for run in runs]) and time.monotonic() < deadline:  # noqa: C419  (each is to be looked at)
            time.sleep(_LOOK_AGAIN_S)
        return [run.result() for run in runs]

    def interfaces(self) -> list[str]:
        """See `devices.names`."""
        return devices.names()

    def open_packet_socket(self) -> None:
        """Open a socket that gets packets, as far as that tells whether it is allowed. Raises `OSError`."""
        if sys.platform == "linux":
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()  # of protocol 0 there are no packets
        elif sys.platform == "win32":
            raise OSError("only trying it tells")
        else:
            os.close(os.open("/dev/bpf0", os.O_RDONLY))

    def compile_filter(self) -> None:
        """Have libpcap compile a filter, as a capture does. Raises `CaptureError`, or `ImportError` without numpy."""
        from eiosniff.capture.live import filters  # noqa: PLC0415  (doctor works without numpy, too)

        filters.compiled("tcp port 3000", _ETHERNET)

    def version_of(self, package: str) -> str | None:
        """The version of an installed package; None if it is not there."""
        try:
            return metadata.version(package)
        except Exception:  # broken metadata raise many things
            return None

    def decoders_compiled(self) -> bool:
        """Whether the decoders are what wheels have (docs/decisions/0005-compiled.md)."""
        found = importlib.util.find_spec("eiosniff.model.batch")
        return found is not None and found.origin is not None and not found.origin.endswith(".py")


def examine(system: System | None = None) -> Health:
    """Look at everything."""
    asked = system or System()
    here = asked.look_around()
    health = Health(
        f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}"
    )
    none: list[str] = []
    names = _or_else(none, asked.interfaces)
    programs = _Programs(asked, here, names)
    health.facts += [_rights(here, asked.invoking_user()), programs.capturing("dumpcap"), programs.capturing("tcpdump")]
    health.facts += [_socket(asked), _filters(asked, programs.libpcap), _interfaces(names), programs.tshark()]
    health.facts.append(_decoders(asked))
    health.facts += [
        fact
        for fact in (_library(asked, package) for package in _LIBRARIES)
        if fact.needed_for or fact.status is Status.OK
    ]
    fine = {fact.name for fact in health.facts if fact.area == CAPTURE and fact.status is Status.OK}
    health.backends = [backend for backend, name in _BACKENDS.items() if name in fine]
    if health.backends:  # one is enough
        health.facts = [fact if fact.area != CAPTURE else _not_needed(fact) for fact in health.facts]
    else:
        health.remedy = remedy(here) or "install dumpcap or tcpdump"
    return health


def _not_needed(fact: Fact) -> Fact:
    return replace(fact, status=Status.ABSENT) if fact.status is Status.BROKEN else fact


class _Programs:
    """The programs, which were all asked at once."""

    def __init__(self, system: System, here: Surroundings, interfaces: Sequence[str]) -> None:
        self._found = {"dumpcap": here.dumpcap, "tcpdump": here.tcpdump, "tshark": system.find_program("tshark")}
        # The loopback interface is mostly there, and opening it bothers nobody.
        trial = next((name for name in interfaces if name.startswith("lo")), next(iter(interfaces), "lo"))
        commands = {}
        for name, program in self._found.items():
            if program is not None and program.runs:
                commands[name, "version"] = [program.path, "--version"]
                if name in _CAPTURES_FOR:
                    commands[name, "trial"] = [program.path, *_TRIAL, trial]
        self._ran = dict(zip(commands, system.run(list(commands.values())), strict=True))

    @property
    def libpcap(self) -> str:
        """The version of libpcap, as tcpdump says; empty where it does not."""
        ran = self._ran.get(("tcpdump", "version"))
        match = None if ran is None else _LIBPCAP.search(ran.output + ran.errors)
        return "" if match is None else match[1]

    def capturing(self, name: str) -> Fact:
        """How it is with a capturing program."""
        program, purpose = self._found[name], _CAPTURES_FOR[name]
        if program is None:
            return Fact(CAPTURE, name, Status.ABSENT, "not installed", purpose)
        if not program.runs:
            who = f"only the group {program.group} may" if program.group else "you may not"
            return Fact(CAPTURE, name, Status.BROKEN, f"{program.path}, which {who} start", purpose)
        version = self._version(name)
        ran = self._ran[name, "trial"]
        if ran.code == 0:
            return Fact(CAPTURE, name, Status.OK, f"{version}, {program.path}, may capture")
        return Fact(
            CAPTURE, name, Status.BROKEN, f"{version}, {program.path}, may not capture{_why(ran, name)}", purpose
        )

    def tshark(self) -> Fact:
        """How it is with tshark, which decrypts what we do not, and shows proofs."""
        program = self._found["tshark"]
        if program is None or not program.runs:
            return Fact(PROGRAMS, "tshark", Status.ABSENT, "not installed", _TSHARK_FOR)
        ran = self._ran["tshark", "version"]
        try:
            found = tshark_program.check(program.path, ran.code or 0, ran.output + ran.errors)
        except tshark_program.TsharkError as error:
            return Fact(PROGRAMS, "tshark", Status.ABSENT, error.problem, _TSHARK_FOR, "install a newer one")
        return Fact(PROGRAMS, "tshark", Status.OK, f"{found.version}, {found.path}, decrypts QUIC and TLS with CBC")

    def _version(self, name: str) -> str:
        ran = self._ran[name, "version"]
        match = _VERSION.search(ran.output + ran.errors)
        return "an unknown version" if match is None or ran.code is None else match[0]


def _rights(here: Surroundings, user: rights.User | None) -> Fact:
    has_right = here.held.may(capabilities.NET_RAW) if here.held is not None else here.root
    status = Status.OK if has_right else Status.ABSENT
    if user is not None:
        text = f"root, called by {user.name}: packets are parsed with the rights of {user.name} only"
    elif here.root:
        text = "root, and nobody else to become: packets are parsed with all rights (sudo from a user is safer)"
    else:
        groups = ", ".join(sorted(here.memberships)[:8]) or "none"
        text = f"{here.user} (groups: {groups})"
    if here.held is not None:
        names = ("CAP_NET_RAW", capabilities.NET_RAW), ("CAP_NET_ADMIN", capabilities.NET_ADMIN)
        held = [name for name, number in names if here.held.may(number)]
        text += f", with {' and '.join(held)}" if held else ", without CAP_NET_RAW"
    return Fact(CAPTURE, "rights", status, text, "" if has_right else "capturing without a program that has them")


def _socket(system: System) -> Fact:
    purpose = "live captures that lose least"
    try:
        system.open_packet_socket()
    except OSError as error:
        return Fact(CAPTURE, "socket", Status.BROKEN, f"may not be opened ({error.strerror or error})", purpose)
    return Fact(CAPTURE, "socket", Status.OK, "may be opened")


def _filters(system: System, libpcap: str) -> Fact:
    version = f"libpcap {libpcap}" if libpcap else "libpcap"
    try:
        system.compile_filter()
    except Exception as error:  # of scapy, of libpcap, of a library that is half installed
        text = f"libpcap does not compile them: {type(error).__name__}: {error}"
        return Fact(CAPTURE, "filters", Status.BROKEN, text, "filtering through a socket", "install libpcap")
    return Fact(CAPTURE, "filters", Status.OK, f"{version} compiles them")


def _interfaces(names: Sequence[str]) -> Fact:
    if not names:
        return Fact(CAPTURE, "interfaces", Status.BROKEN, "none is there", "live captures")
    more = ", ..." if len(names) > 4 else ""
    return Fact(CAPTURE, "interfaces", Status.OK, f"{len(names)}: {', '.join(names[:4])}{more}")


def _decoders(system: System) -> Fact:
    if _or_else(False, system.decoders_compiled):
        return Fact(PROGRAMS, "decoders", Status.OK, "compiled")
    return Fact(PROGRAMS, "decoders", Status.ABSENT, "not compiled", "twice the speed", "install without --editable")


def _library(system: System, package: str) -> Fact:
    purpose, needed = _LIBRARIES[package]
    version = system.version_of(package)
    if version is None and package in _OTHER_NAMES:
        version = system.version_of(_OTHER_NAMES[package])
    if version is not None:
        return Fact(PROGRAMS, package, Status.OK, version)
    status = Status.BROKEN if needed else Status.ABSENT
    return Fact(PROGRAMS, package, status, "not installed", purpose, f"pip install {package}" if purpose else "")


class _Run:
    """A program that runs, and files for what it prints: it may only print so much."""

    def __init__(self, command: Sequence[str]) -> None:
        self._files = [tempfile.TemporaryFile() for _ in ("stdout", "stderr")]  # noqa: SIM115  (see `result`)
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._problem = "it does not end"
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._files[0], stderr=self._files[1],
                env={**os.environ, "LC_ALL": "C"}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._problem = error.strerror or str(error)

    def runs(self) -> bool:
        """Whether it runs still; one that prints without end is ended."""
        if self._process is None or self._process.poll() is not None:
            return False
        if self._printed() <= _MOST_FILE:
            return True
        self._kill(self._process)
        return False

    def result(self) -> Ran:
        """What became of it; it is ended if it runs."""
        try:
            if self._process is None:
                return Ran(None, errors=self._problem)
            if self._process.poll() is None:
                self._kill(self._process)
            if self._killed:
                return Ran(None, errors=self._problem)
            output, errors = map(_beginning, self._files)
            return Ran(self._process.returncode, output, errors)
        finally:
            for file in self._files:
                file.close()

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        self._killed = True
        if sys.platform == "win32":
            process.kill()
        else:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it started itself
        process.wait()

    def _printed(self) -> int:
        return sum(os.fstat(file.fileno()).st_size for file in self._files)


def _beginning(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_OUTPUT).decode("utf-8", "replace")


def _why(ran: Ran, name: str) -> str:
    """Why a program may not capture: nothing more where it is for want of rights, else the first line it printed."""
    printed = ran.errors or ran.output
    if _NO_RIGHTS.search(printed):
        return ""
    line = next(filter(None, map(str.strip, printed.splitlines())), f"exit code {ran.code}")
    return ": " + line.removeprefix(f"{name}: ")[:_MOST_WORDS]


def _or_else(default: _T, ask: Callable[[], _T]) -> _T:
    """An answer, or a default where asking fails."""
    try:
        return ask()
    except Exception:  # doctor is for systems where things are broken
        return default
