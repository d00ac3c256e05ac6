"""What there is on this system to capture with, and what to do to be allowed to. All is found out by looking."""

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from eiosniff.capture.live import capabilities, rights

if sys.platform != "win32":
    import grp
    import pwd

# Where capturing programs are that a user's PATH may lack: of administrators, of an application on macOS.
_MORE_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/Applications/Wireshark.app/Contents/MacOS")
# Its configuration asks who may capture, and makes the group.
_DEBIAN_QUESTION = Path("/var/lib/dpkg/info/wireshark-common.config")
_DEBIAN_DUMPCAP = "/usr/bin/dumpcap"
_DOCKER = Path("/.dockerenv")
_PODMAN = Path("/run/.containerenv")
_NPCAP = Path("C:/Windows/System32/Npcap/wpcap.dll")
_BPF_GROUP = "access_bpf"  # made by ChmodBPF, a part of Wireshark for macOS


class Program(NamedTuple):
    """A capturing program. `runs`: this process may start it. `raises`: its file gives whoever starts it the right to
    capture; `nosuid`: it would, if its file system were mounted otherwise. `group`: whose members alone may start it,
    empty where it is not so."""

    path: str
    runs: bool = True
    raises: bool = False
    nosuid: bool = False
    group: str = ""


class Surroundings(NamedTuple):
    """What decides who may capture.

    `groups` are those of this process, `memberships` those that the user gets by logging in. `container` is its kind,
    empty outside of one. `debian`: dumpcap is Debian's, which a command of theirs configures. `bpf_group` (macOS) and
    `npcap` (Windows): what lets users capture is installed. `elevates` is the program that makes a user root, empty
    where there is none; `command` is how to start this eiosniff from any folder.
    """

    system: str = "linux"
    root: bool = False
    user: str = ""
    held: capabilities.Held | None = None
    groups: frozenset[str] = frozenset()
    memberships: frozenset[str] = frozenset()
    dumpcap: Program | None = None
    tcpdump: Program | None = None
    debian: bool = False
    container: str = ""
    bpf_group: bool = False
    npcap: bool = False
    setcap: bool = True
    elevates: str = "sudo"
    command: tuple[str, ...] = ("eiosniff", "live", "INTERFACE")


def look_around(environment: Mapping[str, str] | None = None, arguments: Sequence[str] | None = None) -> Surroundings:
    """What there is here. `environment` and `arguments` are those of the process if not given."""
    given = os.environ if environment is None else environment
    words = sys.argv if arguments is None else arguments
    dumpcap = find_program("dumpcap", given)
    groups, memberships = _groups()
    return Surroundings(
        system=sys.platform,
        root=rights.is_root(),
        user=user_name(),
        held=capabilities.held(),
        groups=groups,
        memberships=memberships,
        dumpcap=dumpcap,
        tcpdump=find_program("tcpdump", given),
        debian=dumpcap is not None and dumpcap.path == _DEBIAN_DUMPCAP and _DEBIAN_QUESTION.exists(),
        container=_container(given),
        bpf_group=_exists(_BPF_GROUP),
        npcap=_NPCAP.exists(),
        setcap=_find("setcap", given) is not None,
        elevates=next((name for name in ("sudo", "doas", "pkexec") if _find(name, given)), ""),
        command=_command(words),
    )


def rights_remedy() -> str:
    """What to do on this system to be allowed to capture, in one line; empty where this process has the right."""
    return remedy(look_around())


def find_program(name: str, environment: Mapping[str, str] | None = None) -> Program | None:
    """A capturing program, whether or not this process may start it; None where there is none.

    Only dumpcap is asked who may start it: it is what systems install for a group of users."""
    path = _find(name, os.environ if environment is None else environment)
    if path is None:
        return None
    real = os.path.realpath(path)
    runs = os.access(real, os.X_OK)
    try:
        file = Path(real).stat()
        nosuid = sys.platform != "win32" and bool(os.statvfs(real).f_flag & os.ST_NOSUID)
    except OSError:
        return Program(path, runs)
    by_uid = bool(file.st_mode & stat.S_ISUID) and file.st_uid == 0
    raises = by_uid or _gives(capabilities.of_file(real), capabilities.held())
    for_group = bool(file.st_mode & stat.S_IXGRP) and not file.st_mode & stat.S_IXOTH
    return Program(path, runs, raises and not nosuid, nosuid, _group_name(file.st_gid) if for_group else "")


def user_name() -> str:
    """The name of the user of this process, its number where it has none."""
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "")
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def remedy(here: Surroundings) -> str:
    """What to do to be allowed to capture, in one line; empty where the process has the right already."""
    if here.system == "win32":
        return "start the terminal as administrator" if here.npcap else "install Npcap (https://npcap.com)"
    if here.system != "linux":
        return "" if here.root else _on_macos(here)
    if here.held is not None and here.held.may(capabilities.NET_RAW):
        return ""
    withheld = here.held is not None and not here.held.bounding >> capabilities.NET_RAW & 1
    if here.root or withheld:
        return _withheld(here)
    if here.held is not None and here.held.no_new_privileges:
        return "start it in another session: no program may gain rights in this one (no_new_privs is set)"
    steps = next(filter(None, _ways(here)), "")
    now = _as_root(here)
    return f"{steps}; or just now: {now}" if steps else f"start it with the rights of root: {now}"


def _ways(here: Surroundings) -> Iterator[str]:
    """What would let the user capture without being root, the best first; empty where it does not apply."""
    for name, program in (("dumpcap", here.dumpcap), ("tcpdump", here.tcpdump)):
        if program is not None and program.raises and program.runs:
            yield f"use --backend {name}, which may capture here"
    for program in filter(None, (here.dumpcap, here.tcpdump)):
        if program.raises and program.group:
            yield _join_group(here, program)
    all_may_be_given = here.held is None or bool(here.held.bounding >> capabilities.NET_ADMIN & 1)
    if here.debian and all_may_be_given:
        yield (
            f"{_sudo(here, 'dpkg-reconfigure wireshark-common')} (answer Yes), "
            f"{_sudo(here, f'usermod -aG wireshark {shlex.quote(here.user)}')}, then log out and in again"
        )
    for program in filter(None, (here.dumpcap, here.tcpdump)):
        if here.setcap and not program.nosuid and not program.raises:
            file = shlex.quote(os.path.realpath(program.path))
            which = "cap_net_raw,cap_net_admin" if all_may_be_given else "cap_net_raw"
            yield _sudo(here, f"setcap {which}=eip {file}")


def _gives(of_file: int, held: capabilities.Held | None) -> bool:
    """Whether a file with capabilities gives the right to capture. A program is not started if its file has any that
    nothing may have here (execve(2), EPERM), as in a container without CAP_NET_ADMIN."""
    beyond = 0 if held is None else of_file & ~held.bounding
    return bool(of_file >> capabilities.NET_RAW & 1) and not beyond


def _join_group(here: Surroundings, program: Program) -> str:
    if program.group in here.memberships:
        return (
            f"log out and in again (you are in the group {program.group}, which may capture, but this session began "
            "before)"
        )
    joined = _sudo(here, f"usermod -aG {program.group} {shlex.quote(here.user)}")
    return f"{joined}, then log out and in again (this group may start {program.path})"


def _on_macos(here: Surroundings) -> str:
    now = _as_root(here)
    if _BPF_GROUP in here.memberships:
        return f"log out and in again (you are in the group {_BPF_GROUP}, which may capture); or just now: {now}"
    if here.bpf_group:
        joined = _sudo(here, f"dseditgroup -o edit -a {shlex.quote(here.user)} -t user {_BPF_GROUP}")
        return f"{joined}, then log out and in again; or just now: {now}"
    return f"install ChmodBPF, which comes with Wireshark; or just now: {now}"


def _withheld(here: Surroundings) -> str:
    """Where not even root may capture."""
    if here.container == "kubernetes":
        return "add NET_RAW and NET_ADMIN to securityContext.capabilities.add of this container"
    if here.container:
        return f"start this container with {here.container} run --cap-add NET_RAW --cap-add NET_ADMIN"
    return "start it with CAP_NET_RAW: not even root has it here (systemd: see CapabilityBoundingSet=)"


def _as_root(here: Surroundings) -> str:
    return _sudo(here, shlex.join(here.command))


def _sudo(here: Surroundings, command: str) -> str:
    return f"`{here.elevates} {command}`" if here.elevates else f"as root `{command}`"


def _find(name: str, environment: Mapping[str, str]) -> str | None:
    """The path of a program, also of one that this user may not start."""
    if sys.platform == "win32":
        return shutil.which(name)
    folders = [*environment.get("PATH", os.defpath).split(os.pathsep), *_MORE_FOLDERS]
    for folder in filter(None, folders):
        path = Path(folder, name)
        with suppress(OSError, ValueError):
            mode = path.stat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
                return str(path)
    return None


def _command(arguments: Sequence[str]) -> tuple[str, ...]:
    """How to start what runs now by full paths: the PATH of root mostly lacks the folder that eiosniff is in."""
    first = shutil.which(arguments[0]) if arguments else None
    known = first is not None and Path(first).name != "__main__.py"
    program = (os.path.abspath(first),) if first is not None and known else (sys.executable, "-m", "eiosniff")  # noqa: PTH100  (a link of a virtual environment stays one)
    return (*program, *(arguments[1:] if list(arguments[1:2]) == ["live"] else ("live", "INTERFACE")))


def _container(environment: Mapping[str, str]) -> str:
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if _PODMAN.exists():
        return "podman"
    return "docker" if _DOCKER.exists() else ""


def _groups() -> tuple[frozenset[str], frozenset[str]]:
    """The names of the groups of this process, and of those that its user is a member of."""
    if sys.platform == "win32":
        return frozenset(), frozenset()
    own = frozenset(_group_name(gid) for gid in {*os.getgroups(), os.getegid()})
    try:
        entry = pwd.getpwuid(os.geteuid())
        memberships = frozenset(_group_name(gid) for gid in os.getgrouplist(entry.pw_name, entry.pw_gid))
    except (KeyError, OSError):
        memberships = own
    return own, memberships


def _exists(group: str) -> bool:
    if sys.platform == "win32":
        return False
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def _group_name(gid: int) -> str:
    if sys.platform == "win32":
        return ""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
