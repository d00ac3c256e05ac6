"""Rights that another process keeps: the one that parses what anybody may have sent has none.

Root starts eiosniff, by `sudo` or the like. Before anything is opened the process forks. The *keeper* becomes the
invoking user, but for the rights that capturing takes; it starts capturing programs and opens packet sockets for its
parent, hands their descriptors over (SCM_RIGHTS, unix(7)), and never reads from them. The parent gives up its rights
once all is open. From then on the keeper does again what it was asked for before, as an interface that vanished has to
be opened anew, and nothing else: whoever takes the parent over by what it parses gains no command and no interface.

A request is a JSON array, its answer a JSON object, each after its length (4 bytes, big-endian); there is one request
at a time.
"""

import errno
import gc
import json
import os
import pkgutil
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import eiosniff
from eiosniff.capture.live import capabilities, rights
from eiosniff.capture.live.opener import DirectOpener, Opener, Started
from eiosniff.errors import CaptureError, EiosniffError

# A command line with a long filter is a few KiB.
_MOST_BYTES = 1 << 20
_PATIENCE_S = 20.0  # for an answer: scapy takes a while to load on a slow disk
_PATIENCE_AT_END_S = 5.0  # for the end of the programs that still run
_LENGTH = struct.Struct(">I")
_GONE = "the process that keeps the rights is gone"
# Sent to the keeper by the kernel when its parent is gone without a word. (Windows has fewer signals, and no keeper.)
_ORPHANED = getattr(signal, "SIGUSR1", signal.SIGTERM)
# What is sent to everybody at the end, by a terminal or a service manager. The keeper ends when its parent does.
_NOT_MEANT = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP") if hasattr(signal, name)
]

# Packages that import modules of Python's, or are asked for one, when these are needed first.
_LOAD_LATE = ("encodings", "importlib", "click", "rich", "eiosniff")
# And modules that functions import when they are called: os.wait4 needs the first.
_ALONE = ("resource", "termios", "configparser", "_strptime")

_Message = dict[str, Any]


def opener_of_least_rights() -> Opener:
    """What opens sources here: a keeper if we are root for somebody, else this process itself.

    To be called before anything else is opened; `Opener.give_up_rights` is to follow when the source is open. Raises
    `EiosniffError`.
    """
    user = rights.invoking_user()
    return DirectOpener() if user is None else KeeperOpener(user)


class KeeperOpener(Opener):
    """Asks a process that keeps the rights, which it starts."""

    def __init__(self, user: rights.User, make: Callable[[], Opener] = DirectOpener) -> None:
        """`user` is whom the keeper and this process are to become, `make` makes what opens in the keeper. Raises
        `EiosniffError`."""
        self.user: rights.User = user
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_PATIENCE_S)
        parent = os.getpid()
        # A Ctrl-C right after the fork would have the child unwind into the program of its parent.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_MEANT)
        self._pid: int | None = os.fork()
        if self._pid == 0:
            _live(theirs, user, make, parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        try:
            python_readable, _ = self._ask("begin")
        except OSError as error:
            self.close()
            reason = error.strerror or error
            raise EiosniffError(f"no process can be made that keeps the rights to capture: {reason}") from None
        except EiosniffError:
            self.close()
            raise
        if not python_readable:  # now, and not while packets wait to be read
            _load_everything()

    def start(self, command: Sequence[str]) -> Started:
        """See `Opener`."""
        pid, descriptors = self._ask("start", *command)
        stdout, stderr = descriptors
        return Started(pid, stdout, stderr)

    def signal(self, pid: int, number: int) -> None:
        """See `Opener`."""
        with suppress(OSError):  # without the keeper the program is gone too
            self._ask("signal", pid, int(number))

    def reap(self, pid: int) -> int | None:
        """See `Opener`."""
        try:
            code, _ = self._ask("reap", pid)
        except OSError:
            return -int(signal.SIGKILL)
        return None if code is None else int(code)

    def packet_socket(self, interface: str, expression: str) -> socket.socket:
        """See `Opener`."""
        _, descriptors = self._ask("packet_socket", interface, expression)
        return socket.socket(fileno=descriptors[0])

    def give_up_rights(self) -> None:
        """See `Opener`."""
        try:
            self._ask("seal")
        except OSError as error:
            raise EiosniffError(f"the process that keeps the rights to capture failed: {error}") from None
        rights.drop_to(self.user)

    def close(self) -> None:
        """See `Opener`. Does nothing the second time."""
        if self._pid is None:
            return
        try:
            self._socket.settimeout(_PATIENCE_AT_END_S)
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(_MOST_BYTES):
                pass
        except OSError:  # it was lost, or it hangs
            with suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
        self._socket.close()
        os.waitpid(self._pid, 0)
        self._pid = None

    def _ask(self, *request: str | int) -> tuple[Any, list[int]]:
        """The answer and its descriptors. Raises `OSError`, and `CaptureError` where the keeper does."""
        if self._socket.fileno() < 0:
            raise OSError(errno.EPIPE, _GONE)
        try:
            _send(self._socket, request)
            received, descriptors = _receive(self._socket)
        except OSError:
            self._socket.close()  # what came late would be taken for the answer to another request
            raise
        answer: _Message = {} if received is None else json.loads(received)
        if "value" in answer:
            return answer["value"], descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        if "problem" in answer:
            raise CaptureError(answer["problem"], answer["remedy"])
        if "errno" in answer:
            raise OSError(answer["errno"], answer["text"], answer["file"])
        raise OSError(errno.EPIPE, _GONE)


def _load_everything() -> None:
    """Import now what is imported on the way otherwise: after the change of user, Python itself cannot be read."""
    for name in _ALONE:
        with suppress(ImportError):  # such as one of another system
            import_module(name)
    for package in map(import_module, _LOAD_LATE):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda _: None):
            if not module.name.endswith("__main__"):
                with suppress(Exception):  # such as an encoding of another system
                    import_module(module.name)


def _send(link: socket.socket, message: object, descriptors: Sequence[int] = ()) -> None:
    data = json.dumps(message).encode()
    data = _LENGTH.pack(len(data)) + data
    if len(data) > _MOST_BYTES:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    sent = socket.send_fds(link, [data], descriptors) if descriptors else 0
    link.sendall(data[sent:])


def _receive(link: socket.socket) -> tuple[bytes | None, list[int]]:
    """The next message and the descriptors that came with it; None at the end, and for what is no message."""
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    head, descriptors, _, _ = socket.recv_fds(link, _LENGTH.size, 2, flags)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
    if not 0 < length <= _MOST_BYTES:
        return None, descriptors
    data = bytearray()
    while len(data) < length:
        block = link.recv(length - len(data))
        if not block:
            return None, descriptors
        data += block
    return bytes(data), descriptors


class _Orphan(BaseException):
    """The parent is gone."""


def _live(link: socket.socket, user: rights.User, make: Callable[[], Opener], parent: int) -> NoReturn:
    """The life of the keeper. It takes nothing from its parent along but the socket."""
    opener: Opener | None = None
    try:
        gc.freeze()  # what the parent made is not the keeper's to finalise
        for number in _NOT_MEANT:
            # Not SIG_IGN, which the programs would inherit.
            signal.signal(number, _pass_over)
        signal.signal(_ORPHANED, _end)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_MEANT)
        os.setsid()
        link = _alone_with(link)
        opener = make()
        keeper = _Keeper(link, opener)
        if keeper.begins(user, parent):
            keeper.serve()
    except (_Orphan, OSError):  # the parent is gone
        pass
    finally:
        with suppress(BaseException):
            signal.signal(_ORPHANED, _pass_over)
            if opener is not None:
                opener.close()
        os._exit(0)  # whatever happens: the rest of the program is the parent's


def _pass_over(number: int, frame: FrameType | None) -> None:
    pass


def _end(number: int, frame: FrameType | None) -> None:
    raise _Orphan


def _alone_with(link: socket.socket) -> socket.socket:
    """Close all descriptors but this one: nobody is to wait for the end of a pipe because the keeper has it too."""
    kept = os.dup2(link.detach(), 3, inheritable=False)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  (its entries are no files)
        if int(name) > kept:
            with suppress(OSError):
                os.close(int(name))
    return socket.socket(fileno=kept)


class _Keeper:
    """Does what its parent asks for."""

    def __init__(self, link: socket.socket, opener: Opener) -> None:
        self._link = link
        self._opener = opener
        self._sealed = False
        self._asked_for: set[tuple[Any, ...]] = set()

    def begins(self, user: rights.User, parent: int) -> bool:
        """Give up what is not needed, and say whether that went well in answer to the first request."""
        _receive(self._link)
        try:
            rights.keep_capture_rights(user)
        except OSError as error:
            _send(self._link, _failed(error))
            return False
        capabilities.signal_when_parent_dies(_ORPHANED)  # any change of user before would have undone that
        # access(2) asks what the user may do, whatever this process may.
        if not os.access(eiosniff.__file__, os.R_OK):
            _send(self._link, _unreadable(user))
            return False
        _send(self._link, {"value": os.access(os.__file__, os.R_OK)})
        return os.getppid() == parent

    def serve(self) -> None:
        """Answer requests to the end of the parent."""
        while (request := _receive(self._link)[0]) is not None:
            answer, descriptors = self._answer(request)
            _send(self._link, answer, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)

    def _answer(self, request: bytes) -> tuple[_Message, list[int]]:
        try:
            match json.loads(request):
                case ["start", *command] if command and all(isinstance(word, str) for word in command):
                    return self._start(command)
                case ["packet_socket", str(interface), str(expression)]:
                    self._permit("packet_socket", interface, expression)
                    return {"value": None}, [_usable(self._opener.packet_socket(interface, expression).detach())]
                case ["signal", int(pid), int(number)]:
                    self._opener.signal(pid, number)
                    return {"value": None}, []
                case ["reap", int(pid)]:
                    return {"value": self._opener.reap(pid)}, []
                case ["seal"]:
                    self._sealed = True
                    return {"value": None}, []
            raise PermissionError(errno.EPERM, "nobody asks for that")
        except CaptureError as error:
            return {"problem": error.problem, "remedy": error.remedy}, []
        except OSError as error:
            return _failed(error), []
        except Exception as error:
            return _failed(OSError(errno.EIO, f"{type(error).__name__}: {error}")), []

    def _start(self, command: list[str]) -> tuple[_Message, list[int]]:
        self._permit("start", *command)
        started = self._opener.start(command)
        return {"value": started.pid}, [started.stdout, started.stderr]

    def _permit(self, *request: str) -> None:
        """Raise `PermissionError` for what was not asked for before the parent gave its rights up."""
        if self._sealed and request not in self._asked_for:
            raise PermissionError(errno.EPERM, "this was not asked for as long as there were the rights to it")
        self._asked_for.add(request)


def _unreadable(user: rights.User) -> _Message:
    folder = os.path.dirname(eiosniff.__file__)  # noqa: PTH120  (a text)
    return {
        "problem": f"{user.name}, who called us, may not read {folder}, and nothing is parsed with the rights of root",
        "remedy": f"install eiosniff where {user.name} may read it, or unset SUDO_UID and SUDO_USER to stay root",
    }


def _usable(descriptor: int) -> int:
    """Raise `OSError` for a descriptor that is closed: it cannot be sent."""
    os.fstat(descriptor)
    return descriptor


def _failed(error: OSError) -> _Message:
    file = error.filename if isinstance(error.filename, str) else None
    return {"errno": error.errno or errno.EIO, "text": error.strerror or str(error), "file": file}
