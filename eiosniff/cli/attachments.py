"""Binary data of packets as files of a directory, for `eiosniff decode --attachments`."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eiosniff.errors import EiosniffError

if TYPE_CHECKING:
    from eiosniff.model.decoded import DecodedPacket

# What a file takes on a disk however small it is: a limit of bytes bounds the number of files too.
BLOCK = 4096


class Attachments:
    """Writes the attachments of Socket.IO packets, and Engine.IO messages that are binary by themselves.

    The names are made of numbers alone and sort in the order of the packets: captured packet, session, a running number
    within both; before them the ordinal of the capture if there are several. No file is ever written over.
    """

    def __init__(self, directory: str, *, captures: int, limit: int) -> None:
        """`directory` is made if it does not exist; `limit` is in bytes, small files count as `BLOCK` each."""
        self._directory = directory
        self._left = limit
        self._limit = limit
        self._digits = len(str(captures)) if captures > 1 else 0
        self._capture: str | None = None
        self._ordinal = 0
        self._beginning = ""
        self._running = 0
        try:
            Path(directory).mkdir(exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def write(self, packet: "DecodedPacket") -> tuple[str, ...]:
        """Write what is binary in a packet; the names of the files in the directory, in the packet's order."""
        socketio, engineio = packet.socketio, packet.engineio
        if socketio is not None:
            return tuple(self._write(packet, data) for data in socketio.attachments)
        return (self._write(packet, engineio.data),) if engineio.binary else ()

    def _write(self, packet: "DecodedPacket", data: bytes) -> str:
        self._left -= max(len(data), BLOCK)
        if self._left < 0:
            raise EiosniffError(
                f"the attachments take more than {self._limit // 1_000_000:,} MB (a small file counts as 4 kB)",
                "--attachments-limit allows more; --session, --event and other filters choose fewer",
            )
        beginning = self._name(packet)
        if beginning != self._beginning:
            self._beginning, self._running = beginning, 0
        while True:
            self._running += 1
            name = f"{beginning}-{self._running:04d}.bin"
            if self._create(name, data):
                return name

    def _name(self, packet: "DecodedPacket") -> str:
        place = packet.placed(packet.completed.number)
        if place.file != self._capture:
            self._capture = place.file
            self._ordinal += 1
        ordinal = f"{self._ordinal:0{self._digits}d}-" if self._digits else ""
        message = f"-{place.message:06d}" if place.message else ""
        return f"{ordinal}{place.number:09d}{message}-s{packet.session or 0}"

    def _create(self, name: str, data: bytes) -> bool:
        """False if there is such a file already: an earlier packet that was completed by the same captured one."""
        path = Path(self._directory, name)
        try:
            file = path.open("xb")
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            with file:
                file.write(data)
        except OSError as error:
            with suppress(OSError):
                path.unlink()  # half of an attachment is none
            raise self._unwritable(error) from None
        return True

    def _unwritable(self, error: OSError) -> EiosniffError:
        return EiosniffError(f"cannot write attachments to {self._directory}: {error.strerror or error}")


def directory_problem(directory: str) -> str:
    """Why attachments cannot be written to a directory, empty if they can."""
    if not directory:
        return "the name is empty"
    path = Path(directory)
    try:
        if not path.exists():
            return "" if path.parent.is_dir() else f"there is no directory {path.parent}"
        if not path.is_dir():
            return f"{directory} is not a directory"
        if any(path.iterdir()):
            return f"{directory} is not empty; name a new directory, or empty this one"
        return "" if os.access(path, os.W_OK | os.X_OK) else f"{directory} is not writable"
    except OSError as error:
        return error.strerror or str(error)
