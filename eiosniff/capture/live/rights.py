"""Who called us with the rights of root, and how those are given up for that user's own."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from eiosniff.capture.live import capabilities
from eiosniff.errors import EiosniffError

if sys.platform != "win32":
    import pwd

# (uid_t) -1 tells setresuid(2) to change nothing.
_MOST_ID = 0xFFFFFFFE
# Whose rights `sudo`, `doas` and `pkexec` were called with: the variables of the uid, the gid and the name.
_CALLERS = (("SUDO_UID", "SUDO_GID", "SUDO_USER"), ("", "", "DOAS_USER"), ("PKEXEC_UID", "", ""))
# The capabilities that capturing takes (packet(7)), and what a process needs to start a dumpcap that only a group of
# users may run, as Debian installs it.
_CAPTURE = frozenset({capabilities.NET_RAW, capabilities.NET_ADMIN})
_START = frozenset({capabilities.DAC_OVERRIDE})


class User(NamedTuple):
    """A user of this system; `groups` are all of its groups, `gid` the first. `home` is empty where none is known."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def is_root() -> bool:
    """Whether this process has the rights of root (never on Windows)."""
    return sys.platform != "win32" and os.geteuid() == 0


def invoking_user(environment: Mapping[str, str] | None = None) -> User | None:
    """Whoever called `sudo`, `doas` or `pkexec`, if we are root by that; None for everybody else and for root itself.

    What the variables say is taken if it makes sense. Where it does not, there is nobody to become.
    """
    if sys.platform == "win32" or not is_root():
        return None
    given = os.environ if environment is None else environment
    for uid_of, gid_of, name_of in _CALLERS:
        user = _user(_number(given.get(uid_of)), _number(given.get(gid_of)), given.get(name_of, ""))
        if user is not None and user.uid != 0:
            return user
    return None


def drop_to(user: User) -> None:
    """Become a user for good. Raises `EiosniffError` if that fails or could be undone.

    The groups, and the environment as far as it names the user and its home, are the user's afterwards; the umask and
    the current folder stay. Programs that are started gain no rights (a dumpcap that may capture may not, then): who
    needs such ones has a `KeeperOpener`.
    """
    try:
        become(user)
        if capabilities.held() is not None:
            capabilities.keep_only(frozenset())
    except OSError as error:
        raise _stays_root(user, error.strerror or str(error)) from None
    capabilities.gain_no_more()
    _verify(user)


def keep_capture_rights(user: User) -> None:
    """Become a user who may still capture, and start programs that may. Raises `OSError`.

    Where the system has no such thing (it is not Linux), this process stays root.
    """
    if capabilities.can_be_handed_on():
        capabilities.survive_change_of_user()
        become(user)
        capabilities.keep_only(_CAPTURE | _START, handed_on=_CAPTURE)
    capabilities.gain_no_more()


def become(user: User) -> None:
    """Change the user and the groups of this process, and what the environment says of them. Raises `OSError`."""
    if sys.platform == "win32":
        raise OSError("there is no other user to become on Windows")
    # All that root sets is set: the real, the effective and the saved one (setuid(2)).
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)
    os.environ.update({"USER": user.name, "LOGNAME": user.name, "HOME": user.home or "/"})


def _number(text: str | None) -> int | None:
    """A user or group id, None for anything else."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= _MOST_ID else None


def _user(uid: int | None, gid: int | None, name: str) -> User | None:
    """The user of an id, or of a name where there is no id. An id that no user has may be one of a directory service
    that does not answer, so it is good enough with a group."""
    if sys.platform == "win32":
        return None
    entry = None
    with suppress(KeyError, ValueError):  # no such user; a name with a null byte
        if uid is not None:
            entry = pwd.getpwuid(uid)
        elif name:
            entry = pwd.getpwnam(name)
    if entry is None:
        return None if uid is None or gid is None else User(str(uid), uid, gid, (gid,), "")
    others: list[int] = []
    with suppress(OSError):
        others = [group for group in os.getgrouplist(entry.pw_name, entry.pw_gid) if group != entry.pw_gid]
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, (entry.pw_gid, *others), entry.pw_dir)


def _verify(user: User) -> None:
    """See that nothing of root is left, and that it cannot be had back."""
    if sys.platform == "win32":
        return
    ids = {os.getuid(), os.geteuid()}
    group_ids = {os.getgid(), os.getegid()}
    if sys.platform == "linux":
        ids.update(os.getresuid())
        group_ids.update(os.getresgid())
    have = capabilities.held()
    if ids != {user.uid} or group_ids != {user.gid} or (have is not None and have.permitted | have.effective):
        raise _stays_root(user, "some are left")
    with suppress(OSError):
        os.setuid(0)
        raise _stays_root(user, "they can be had back")


def _stays_root(user: User, reason: str) -> EiosniffError:
    return EiosniffError(
        f"the rights of root cannot be given up for those of {user.name}: {reason}",
        "start eiosniff as that user, with a dumpcap or tcpdump that may capture",
    )
