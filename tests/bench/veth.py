"""Two network namespaces with a cable between them: nothing but what a test sends goes over it. Needs root."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

MTU = 65_535


@dataclass(frozen=True, slots=True)
class Cable:
    """The ends of a veth pair: the name of the namespace, and of the interface in it."""

    sender: tuple[str, str]
    receiver: tuple[str, str]

    def at_sender(self, command: Sequence[str]) -> list[str]:
        """A command that runs where packets are sent. It has the process id that it is started with."""
        return ["ip", "netns", "exec", self.sender[0], *command]

    def at_receiver(self, command: Sequence[str]) -> list[str]:
        """A command that runs where packets arrive."""
        return ["ip", "netns", "exec", self.receiver[0], *command]

    def arrived(self) -> int:
        """How many packets came through by now: what the kernel handed to the interface."""
        path = f"/sys/class/net/{self.receiver[1]}/statistics/rx_packets"
        return int(subprocess.run(self.at_receiver(["cat", path]), check=True, capture_output=True).stdout)


@contextmanager
def cable() -> Iterator[Cable]:
    """Lay one. Raises `RuntimeError` where that is not possible."""
    pid = os.getpid()
    made = Cable((f"eiosniff-a{pid}", f"eioa{pid}"), (f"eiosniff-b{pid}", f"eiob{pid}"))
    try:
        for namespace in (made.sender[0], made.receiver[0]):
            _run("ip", "netns", "add", namespace)
            # Else the kernel says something now and then.
            for which in ("all", "default"):
                _run("ip", "netns", "exec", namespace, "sysctl", "-qw", f"net.ipv6.conf.{which}.disable_ipv6=1")
        (here, one), (there, other) = made.sender, made.receiver
        _run("ip", "link", "add", one, "netns", here, "type", "veth", "peer", "name", other, "netns", there)
        for namespace, interface in (made.sender, made.receiver):
            _run("ip", "-n", namespace, "link", "set", interface, "arp", "off", "mtu", str(MTU), "up")
        yield made
    finally:
        for namespace in (made.sender[0], made.receiver[0]):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"{error.filename} is not installed") from None
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()} (network namespaces take root)")
