"""What is left for tshark in the first pass over a capture, until it is decrypted for the second one."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eiosniff.capture import tshark_program
from eiosniff.capture.extract import Extract
from eiosniff.capture.tshark_program import TsharkError
from eiosniff.errors import EiosniffError
from eiosniff.model.outside import OutsideConnection, OutsidePacket
from eiosniff.model.secrets import Secrets
from eiosniff.model.summary import LeftUnread

if TYPE_CHECKING:
    from eiosniff.capture.tshark import Decrypting

_MOST_NAMED = 3  # servers, in a line
# One in so many packets of QUIC may well be undecrypted: what a browser sends with keys that are given up already, or
# before others are there, holds nothing that is missed.
_A_FEW = 10
_NOTHING_CAME = "it decrypted nothing: the keys do not fit, or some of the beginning is missing"
_RIGHT_KEYS = "use the key log of the run that was captured, as the program wrote it"
# How a record of it begins: type, version, and a length up to 2^14 + 2048 (RFC 5246, section 6.2). Two bytes alone come
# by chance in every thirtieth handshake.
_APPLICATION_DATA = re.compile(rb"\x17\x03[\x00-\x04][\x00-\x48]", re.DOTALL)


class Leftover:
    """See the module. A context manager: the temporary folder, readable by its owner alone, goes with it."""

    def __init__(self) -> None:
        self.problem = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._extract: Extract | None = None
        self._decrypting: Decrypting | None = None
        self._spoke: set[OutsideConnection] = set()  # those of TLS that carried something

    @property
    def connections(self) -> list[OutsideConnection]:
        """Whose packets are there."""
        return [] if self._extract is None else self._extract.connections

    def write(self, packets: Sequence[OutsidePacket]) -> None:
        """Keep these packets, as far as there is room for them."""
        if not packets or self.problem:
            return
        try:
            if self._extract is None:
                self._folder = tempfile.TemporaryDirectory(prefix="eiosniff-")
                self._extract = Extract(Path(self._folder.name) / "extract.pcapng")
            self._extract.write(packets)
            self._spoke.update(packet.connection for packet in packets if _APPLICATION_DATA.search(packet.data))
        except (EiosniffError, OSError) as error:
            self.problem = str(error)

    def decrypt(self, secrets: Secrets) -> "Decrypting":
        """Have tshark decrypt all that was kept, with these secrets. Raises `TsharkError` where that cannot be."""
        from eiosniff.capture.tshark import Decrypting  # noqa: PLC0415  (what it needs takes a while)

        found = tshark_program.find()
        if self._extract is None or self._folder is None:
            raise TsharkError(self.problem or "nothing was left to decrypt")
        self._extract.close()
        self._decrypting = Decrypting(found, self._extract, Path(self._folder.name) / "extract.pcapng", secrets)
        return self._decrypting

    def problems(self, read: Sequence[OutsideConnection]) -> list[str]:
        """What the user has to know of it, a line each, when all is done; of the connections `read` something came
        back."""
        lines = [self.problem] if self.problem else []
        if self._decrypting is not None and self._decrypting.problem:
            lines.append(f"tshark failed: {self._decrypting.problem}; what it had decrypted until then is used")
        if self._extract is not None and self._extract.full:
            lines.append(f"only the first {len(self._extract):,} packets that tshark has to decrypt were given to it")
        silent = self._silent(read)
        if silent and self._decrypting is not None:
            lines.append(
                f"tshark decrypted nothing of {name(silent)}: the keys do not fit, or its beginning is missing"
            )
        if self._decrypting is not None:
            undecrypted = sum(each.packets for each in self._decrypting.undecrypted)
            if undecrypted * _A_FEW > self._decrypting.frames:
                lines.append(self._decrypting.describe())
        return lines

    def undone(self, read: Sequence[OutsideConnection]) -> LeftUnread | None:
        """Why some of it stayed unread, when all is done, if tshark or the keys are to blame; `read` as above."""
        at_work = self._decrypting
        if at_work is None:
            return None
        if at_work.problem:
            return self.unread(f"that failed: {at_work.problem}", "open the capture with tshark itself to see more")
        return LeftUnread(True, False, _NOTHING_CAME, _RIGHT_KEYS) if self._silent(read) else None

    def unread(self, why: str, remedy: str) -> LeftUnread:
        """All of it stays unread, for this reason."""
        kinds = {each.quic for each in self.connections}
        return LeftUnread(False in kinds, True in kinds, why, remedy)

    def _silent(self, read: Sequence[OutsideConnection]) -> list[OutsideConnection]:
        """Connections of TLS that carried something, of which nothing came back."""
        known = set(read)
        return [each for each in self.connections if each in self._spoke - known and not each.quic]

    def close(self) -> None:
        """End tshark, and remove all that was made."""
        if self._decrypting is not None:
            self._decrypting.close()
        if self._extract is not None:
            self._extract.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def name(connections: Sequence[OutsideConnection]) -> str:
    """How many connections these are, and to which servers, for people."""
    kinds = {each.quic for each in connections}
    servers = list(dict.fromkeys(str(each.server) for each in connections))
    named = ", ".join(servers[:_MOST_NAMED]) + (" and others" if len(servers) > _MOST_NAMED else "")
    kind = " and ".join(name for name, quic in (("TLS", False), ("QUIC", True)) if quic in kinds)
    return f"{len(connections):,} {kind} connection{'' if len(connections) == 1 else 's'} to {named}"


def explain(connections: Sequence[OutsideConnection], why: str, remedy: str) -> str:
    """Why connections that there are keys for stay unread, in a line."""
    return f"{name(connections)} can only be decrypted by tshark, and {why}; {remedy}"
