# SPDX-License-Identifier: GPL-2.0-or-later
"""A laboratory of two hosts for recording real peers: two network namespaces and the wire between.

    with Lab() as lab, lab.capture(Path("x.pcap"), side="server"):
        server = lab.start("server", ["node", "server.js"], ready="LISTENING")
        lab.run("client", ["node", "client.js", lab.server_ip])
        server.stop()

The wire is a veth pair with MTU 1500 and without offloads, so that a recording holds the frames and
checksums that a physical wire would carry. With a `RelayPlan` a process stands in the middle of the
wire and loses, reorders and duplicates frames: a stand-in for netem, which not every kernel has.

Needs root, iproute2, ethtool, tcpdump and, for pcapng, dumpcap.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self, get_args

Side = Literal["client", "server", "relay"]

CACHE = Path(os.environ.get("EIOSNIFF_LAB_CACHE", "~/.cache/eiosniff-lab")).expanduser()
DEVICE = "eth0"  # the name of the wire's end, in each namespace
_RELAY = Path(__file__).resolve().parent / "peers" / "healthy_relay.py"
_OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")
_HOST_NUMBERS: dict[Side, int] = {"client": 1, "server": 2}
_lab_numbers = itertools.count()


class LabError(Exception):
    """The laboratory itself failed, or a peer did not come up or end in time."""


@dataclass(frozen=True)
class RelayPlan:
    """What the wire does to frames that carry TCP, each way; everything else passes unharmed."""

    loss: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0
    seed: int = 1
    delay_ms: float = 0.0  # of each frame, one way
    hold_ms: float = 5.0  # how much longer a frame waits that others shall overtake


@dataclass(frozen=True)
class Result:
    returncode: int
    output: str  # stdout and stderr, interleaved


class Process:
    """A running program of the laboratory, in a process group of its own."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path | None) -> None:
        self.argv = list(argv)
        self.popen = subprocess.Popen(
            self.argv,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def _read(self, log: Path | None) -> None:
        assert self.popen.stdout
        with self.popen.stdout as output, (log or Path(os.devnull)).open("w", buffering=1) as copy:
            for line in output:
                copy.write(line)
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for(self, text: str, timeout: float = 30.0, since: int = 0) -> None:
        """Block until a line of output (from line number `since` on) contains `text`."""

        def said() -> bool:
            return any(text in line for line in self._lines[since:])

        with self._news:
            self._news.wait_for(lambda: said() or self._ended, timeout)
            if not said():
                raise LabError(f"{self.argv}: no {text!r} in its output:\n{''.join(self._lines)}")

    def command(self, word: str) -> None:
        """Write a line to the program's stdin and wait until the program repeats it."""
        assert self.popen.stdin
        since = len(self._lines)
        self.popen.stdin.write(word + "\n")
        self.popen.stdin.flush()
        self.wait_for(word, since=since)

    def wait(self, timeout: float) -> Result:
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise LabError(f"{self.argv}: still ran after {timeout} s:\n{self.output}") from None
        return self._over(code)

    def send(self, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, what)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def stop(self, by: signal.Signals = signal.SIGTERM, grace: float = 5.0) -> Result:
        """Ask the group to end, then make it end; a frozen one is thawed to hear the question."""
        self.send(by)
        self.thaw()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(grace)
        self.send(signal.SIGKILL)
        return self._over(self.popen.wait())

    def _over(self, code: int) -> Result:
        assert self.popen.stdin
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()
        self._reader.join(5)
        return Result(code, self.output)


class Relay:
    """The process in the middle of the wire, see `RelayPlan`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def cut(self) -> None:
        """From now on nothing passes, neither TCP nor ARP."""
        self._process.command("cut")

    def mend(self) -> None:
        self._process.command("mend")


class Lab:
    """Two hosts, "client" and "server", joined by a wire; with a plan "relay" is in between."""

    client_ip, server_ip = "10.77.0.1", "10.77.0.2"
    client_ip6, server_ip6 = "fd77::1", "fd77::2"

    def __init__(self, relay: RelayPlan | None = None) -> None:
        self._plan = relay
        self._relay: Relay | None = None
        self._name = f"eiolab{os.getpid()}-{next(_lab_numbers)}"
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def relay(self) -> Relay:
        if self._relay is None:
            raise LabError("this lab was made without a RelayPlan")
        return self._relay

    def _build(self) -> None:
        sides: list[Side] = ["client", "server"] if self._plan is None else list(get_args(Side))
        for side in sides:
            self._add_host(side)
        self.lay_wire()
        if self._plan is not None:
            argv = [sys.executable, str(_RELAY), json.dumps(asdict(self._plan))]
            self._relay = Relay(self.start("relay", argv, ready="RELAYING"))

    def lay_wire(self) -> None:
        """Join the hosts by a new wire, the first one or another one after `remove_wire`."""
        if self._plan is None:
            self._join("client", DEVICE, "server", DEVICE)
        else:
            self._join("client", DEVICE, "relay", "toclient")
            self._join("relay", "toserver", "server", DEVICE)
        for side, number in _HOST_NUMBERS.items():
            for address in (f"10.77.0.{number}/24", f"fd77::{number}/64"):
                nodad = ["nodad"] if ":" in address else []
                self.run_ip(side, ["address", "add", address, "dev", DEVICE, *nodad])

    def remove_wire(self) -> None:
        """Take away the interfaces of a lab without a relay."""
        self.run_ip("server", ["link", "delete", DEVICE])

    def _add_host(self, side: Side) -> None:
        _tool("ip", "netns", "add", self.namespace(side))
        self._cleanup.callback(_tool, "ip", "netns", "delete", self.namespace(side))
        self.run_ip(side, ["link", "set", "lo", "up"])

    def _join(self, one: Side, one_device: str, other: Side, other_device: str) -> None:
        ends = ((one, one_device), (other, other_device))
        first, second = (["name", device, "netns", self.namespace(s)] for s, device in ends)
        _tool("ip", "link", "add", *first, "mtu", "1500", "type", "veth", "peer", *second)
        for side, device in ends:
            off = [word for feature in _OFFLOADS for word in (feature, "off")]
            _tool(*self._inside(side), "ethtool", "-K", device, *off)
            if side == "relay":  # the relay is a wire, not a host: it says nothing by itself
                self.run_ip(side, ["link", "set", device, "addrgenmode", "none"])
            else:  # addresses that do not change from one recording to the next
                mac = f"02:00:00:00:00:0{_HOST_NUMBERS[side]}"
                self.run_ip(side, ["link", "set", device, "address", mac])
            self.run_ip(side, ["link", "set", device, "up"])

    def namespace(self, side: Side) -> str:
        return f"{self._name}-{side}"

    def _inside(self, side: Side) -> list[str]:
        return ["ip", "netns", "exec", self.namespace(side)]

    def run_ip(self, side: Side, args: Sequence[str]) -> str:
        """`ip ARGS` in the namespace of `side`; returns what it prints."""
        return _tool("ip", "-n", self.namespace(side), *args)

    def name(self, side: Side, name: str, address: str) -> None:
        """Let programs on a host know another one's name: `ip netns exec` binds these files over those in /etc."""
        folder = Path("/etc/netns") / self.namespace(side)
        folder.mkdir(parents=True, exist_ok=True)
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")

    def pids(self, side: Side) -> list[str]:
        """The processes that run in the namespace of `side`."""
        return _tool("ip", "netns", "pids", self.namespace(side)).split()

    def start(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        ready: str | None = "LISTENING",
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Process:
        """Start a program in the background; returns once a line it prints contains `ready`."""
        process = Process([*self._inside(side), *argv], env or {}, log)
        self._cleanup.callback(process.stop, grace=1.0)
        if ready is not None:
            process.wait_for(ready, timeout)
        return process

    def run(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        timeout: float = 120.0,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a program to its end; whether its return code is good is for the caller to say."""
        return self.start(side, argv, ready=None, log=log, env=env).wait(timeout)

    @contextlib.contextmanager
    def capture(
        self,
        path: Path,
        *,
        side: Side = "server",
        snaplen: int = 0,
        filter: str = "tcp",
        device: str = DEVICE,
        format: Literal["pcap", "pcap-nanos", "pcapng"] = "pcap",
    ) -> Iterator[None]:
        """Record what passes the end of the wire at `side` for as long as the block runs."""
        length = ["-s", str(snaplen or 262144)]
        if format == "pcapng":
            argv = ["dumpcap", "-q", "-i", device, *length, "-f", filter, "-w", str(path)]
            ready = "File:"
        else:
            precision = "nano" if format == "pcap-nanos" else "micro"
            argv = ["tcpdump", "-U", "-n", "-Z", "root", "--immediate-mode", "-i", device, *length]
            argv += [f"--time-stamp-precision={precision}", "-w", str(path), filter]
            ready = "listening on"
        process = self.start(side, argv, ready=ready)
        try:
            yield
        finally:
            time.sleep(0.5)  # the last frames are in the kernel's buffer for so long, in dumpcap's
            process.stop(by=signal.SIGINT)


def _tool(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def _cache_folder(kind: str, specs: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """A folder for this set of packages, locked, and whether it still has to be filled."""
    specs = sorted(specs)
    slug = re.sub(r"[^\w.@-]+", "_", "+".join(specs))[:60]
    digest = hashlib.sha256("\n".join(specs).encode()).hexdigest()[:8]
    folder = CACHE / kind / f"{slug}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / ".installed"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several recorders may want the same set at once
        yield folder, not done.exists()
        done.touch()


def npm_install(*specs: str, instead: Mapping[str, str] | None = None) -> Path:
    """Install `name@version` packages once; returns the folder that holds node_modules.

    `instead` names what takes the place of packages that they depend on, where npm has those no
    more; then nothing is compiled either, as old native parts have a substitute in JavaScript.
    """
    with _cache_folder("npm", specs) as (folder, missing):
        if missing:
            flags = ["--no-audit", "--no-fund"]
            if instead:
                package = json.dumps({"private": True, "overrides": dict(instead)})
                (folder / "package.json").write_text(package)
                flags.append("--ignore-scripts")
            _tool("npm", "install", "--prefix", str(folder), *flags, *specs)
    return folder


def node_env(folder: Path) -> dict[str, str]:
    """The environment in which a script anywhere can `require` what `npm_install` put there."""
    return {"NODE_PATH": str(folder / "node_modules")}


def pip_install(*specs: str) -> Path:
    """Install `name==version` packages once into a venv of their own; returns its python."""
    with _cache_folder("pip", specs) as (folder, missing):
        python = folder / "venv" / "bin" / "python"
        if missing:
            _tool(sys.executable, "-m", "venv", "--clear", str(folder / "venv"))
            _tool(str(python), "-m", "pip", "install", "--quiet", *specs)
    return python
