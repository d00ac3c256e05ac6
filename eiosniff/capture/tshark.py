"""What tshark decrypts and we do not, by pyshark: the only module that knows either.

What is to be decrypted is an extract (`extract`); its frames tell which captured packet they were made from. All
protocols but those of the extract are switched off, so that what TLS carries comes as plain `data`. Of pyshark's ways
to read, JSON is taken: see docs/decisions/0015-tshark-for-the-rest.md, which also tells of its traps.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from eiosniff.capture.extract import Extract, Origin
from eiosniff.capture.tshark_program import (
    INSTALL,
    PATIENCE_S,
    Tshark,
    TsharkError,
    clean_environment,
    shortened,
)
from eiosniff.model.outside import QuicPiece, TlsPiece
from eiosniff.model.secrets import Secrets

Piece = TlsPiece | QuicPiece

_KEPT = frozenset(("data", "frame", "ip", "quic", "raw", "tcp", "tls", "udp"))
_LAYERS = "frame data quic"
# Preferences that decide what comes out; all others have their defaults, as the profile is an empty one.
_PREFERENCES = {
    "tcp.desegment_tcp_streams": "TRUE",
    "tcp.check_checksum": "FALSE",
    "udp.check_checksum": "FALSE",
    "ip.check_checksum": "FALSE",
    "tls.desegment_ssl_records": "TRUE",
    "tls.desegment_ssl_application_data": "TRUE",
    "tls.ignore_ssl_mac_failed": "FALSE",
}
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2})*)?")


class Undecrypted(NamedTuple):
    """QUIC packets that tshark could not decrypt, and why, in its words (as they come: to be sanitised)."""

    packets: int
    why: str


class Decrypting:
    """tshark at work on an extract: iterate over it for the pieces, in the order of the capture.

    `problem` says in a line why it ended too early, empty where it did not. `undecrypted` counts packets of QUIC that
    could not be decrypted; `frames` is how many frames of the extract were read. A context manager: what it makes in
    the temporary folder, and tshark itself, are gone when it is closed. Nothing is raised while iterating.
    """

    def __init__(self, tshark: Tshark, extract: Extract, path: Path, secrets: Secrets) -> None:
        """`path` is where the extract is, which is closed; key log and profile are put beside it, for their owner
        alone. Raises `TsharkError` where pyshark cannot be used."""
        self.problem = ""
        self.frames = 0
        self._failures: dict[str, int] = {}
        self._extract = extract
        self._tshark = tshark
        self._folder = Path(tempfile.mkdtemp(prefix="tshark-", dir=path.parent))
        self._capture: Any = None
        self._loop = asyncio.new_event_loop()
        try:
            self._capture = self._open(path, secrets)
        except BaseException:
            self.close()
            raise

    @property
    def undecrypted(self) -> list[Undecrypted]:
        """See the class, the most frequent reason first."""
        return [Undecrypted(count, why) for why, count in sorted(self._failures.items(), key=lambda each: -each[1])]

    def describe(self) -> str:
        """What could not be decrypted, in a line; empty for nothing."""
        undecrypted = self.undecrypted
        total = sum(each.packets for each in undecrypted)
        return f"tshark could not decrypt {total:,} QUIC packets: {undecrypted[0].why}" if undecrypted else ""

    def __iter__(self) -> Iterator[Piece]:
        reader = iter(self._capture)
        try:
            with _environment(clean_environment(self._folder)):  # tshark is started with the first packet
                packet = next(reader, None)
            while packet is not None:
                yield from self._pieces(packet)
                packet = next(reader, None)
        except Exception as error:  # of pyshark, about what tshark wrote, or that it failed
            self.problem = _reason(error)
        finally:
            with suppress(Exception):  # what tshark died of, else raised and printed where nobody catches it
                reader.close()
        if self.frames < len(self._extract):  # how tshark ended, pyshark does not always tell
            self.problem = (
                f"tshark stopped after {self.frames:,} of {len(self._extract):,} packets"
                f"{': ' if self.problem else ''}{self.problem}"
            )

    def close(self) -> None:
        """End tshark, and remove what was made for it. Does nothing the second time."""
        if self._capture is not None:
            try:
                self._capture.close()
            except Exception as error:  # it raises for a tshark that had failed
                self.problem = self.problem or (_reason(error) if self.frames < len(self._extract) else "")
            finally:
                self._capture._running_processes.clear()  # else its destructor does it again, and prints a traceback
                self._capture = None
        if not self._loop.is_closed():
            with suppress(Exception):
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, path: Path, secrets: Secrets) -> Any:
        pyshark = _pyshark()
        environment = clean_environment(self._folder)
        _switch_off(self._tshark, environment, self._folder)
        keys = self._folder / "keys.log"
        with open(os.open(keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  (its mode)
            file.writelines(secrets.text())
        try:
            return _patient(pyshark)(
                str(path),
                keep_packets=False,
                use_json=True,
                tshark_path=self._tshark.path,
                override_prefs={**_PREFERENCES, "tls.keylog_file": keys.as_posix()},
                custom_parameters=["-J", _LAYERS],
                # With a loop of its own pyshark does not touch asyncio's child watchers, which Python 3.12 warns of and
                # 3.14 has no more.
                eventloop=self._loop,
            )
        except Exception as error:
            raise TsharkError(f"pyshark cannot be used: {_reason(error)}", "pip install 'pyshark>=0.6'") from None

    def _pieces(self, packet: Any) -> Iterator[Piece]:
        frame = int(packet.frame_info.get_field("frame.number").raw_value)
        self.frames = max(self.frames, frame)
        origin = self._extract.origin(frame)
        if origin is None:
            return
        if not origin.connection.quic:
            for data in filter(None, tls_data(packet)):  # up to TLS 1.0 empty records precede others
                yield TlsPiece(origin.number, origin.ts_ns, origin.connection, origin.from_client, data)
            return
        yield from quic_pieces(packet, origin, self._failures)


def tls_data(packet: Any) -> list[bytes]:
    """What the TLS records carried that a packet of pyshark completed, in order."""
    found = []
    for layer in packet.layers:
        if layer.layer_name == "data":
            for each in (layer, *layer.duplicate_layers):
                found += [_octets(value) for value in _values(each, "data.data")]
    return found


def quic_pieces(packet: Any, origin: Origin, failures: dict[str, int]) -> Iterator[QuicPiece]:
    """The STREAM frames in a packet of pyshark; QUIC packets that were not decrypted are counted, by the reason."""
    packets = [
        each for layer in packet.layers if layer.layer_name == "quic" for each in (layer, *layer.duplicate_layers)
    ]
    connection = next((number for each in packets for number in _numbers(each)), 0)
    client, server = origin.connection.client, origin.connection.server
    for each in packets:
        for expert in _inner(each, "quic.decryption_failed") + _inner(each, "_ws.expert"):
            why = next(_values(expert, "_ws.expert.message"), "")
            if why.startswith(("Decryption failed", "Failed to create decryption context")):
                why = shortened(why)
                failures[why] = failures.get(why, 0) + 1
        for frame in _inner(each, "quic.frame"):
            stream = next(_values(frame, "quic.stream.stream_id"), "")
            if not stream:
                continue
            flags = _inner(frame, "quic.frame_type_tree")
            fin = any(_is_true(value) for tree in flags for value in _values(tree, "quic.stream.fin"))
            offset = next(_values(frame, "quic.stream.offset"), "0")
            data = _octets(next(_values(frame, "quic.stream_data"), ""))
            yield QuicPiece(
                origin.number, origin.ts_ns, connection, client, server, origin.from_client,
                int(stream), int(offset), data, fin,
            )  # fmt: skip


def _numbers(layer: Any) -> Iterator[int]:
    for information in [*_inner(layer, "QUIC Connection information"), layer]:
        for value in _values(information, "quic.connection.number"):
            yield int(value)


def _inner(layer: Any, name: str) -> list[Any]:
    """The layers of that name in a layer."""
    try:
        found = layer.get_field(name)
    except AttributeError:
        return []
    return [each for each in (found if isinstance(found, list) else [found]) if hasattr(each, "get_field")]


def _values(layer: Any, name: str) -> Iterator[str]:
    """The values of a field. What is empty has no other text than "None" in pyshark, so that is not used."""
    try:
        found = layer.get_field(name)
    except AttributeError:
        return
    for each in found if isinstance(found, list) else [found]:
        value = getattr(each, "raw_value", None)
        if isinstance(value, str):
            yield value


def _is_true(value: str) -> bool:
    """A flag is 1 or True, by the version."""
    return value.lower() in ("1", "true")


def _octets(value: str) -> bytes:
    """Octets in hexadecimal with colons between them. Raises `ValueError` for anything else."""
    if not _HEX.fullmatch(value):
        raise ValueError("tshark wrote octets in a way that is not known")
    return bytes.fromhex(value.replace(":", ""))


def _pyshark() -> Any:
    """Pyshark itself, loaded when it is needed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import pyshark  # noqa: PLC0415
            import pyshark.config  # noqa: PLC0415
    except Exception as error:
        raise TsharkError(f"pyshark cannot be loaded: {_reason(error)}", "pip install 'pyshark>=0.6'") from None
    # Else a config.ini of anything in the current folder decides which program is started, or is an error.
    pyshark.config.fp_config_path = pyshark.config.pyshark_config_path
    return pyshark


def _patient(pyshark: Any) -> Any:
    """`FileCapture`, but for two races: when the output ends, pyshark kills a tshark that has not quite ended, and what
    it died of is lost. And asyncio looks, before it kills, whether there is something to kill: of a tshark that just
    ended it takes the exit status by that, and then writes to the log that somebody else took it."""

    class PatientCapture(pyshark.FileCapture):  # type: ignore[misc]  # pyshark has no types
        async def _cleanup_subprocess(self, process: Any) -> None:
            await asyncio.sleep(0)  # let the loop hear of an end that was noticed already
            if not self._eof_reached and process.returncode is None and hasattr(signal, "SIGKILL"):
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                await process.wait()
                return
            if self._eof_reached:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), PATIENCE_S)
            await super()._cleanup_subprocess(process)

    return PatientCapture


def _switch_off(tshark: Tshark, environment: dict[str, str], folder: Path) -> None:
    """Write the profile in which all protocols are off but those that are needed."""
    try:
        done = subprocess.run(
            [tshark.path, "-G", "protocols"], env=environment, capture_output=True, check=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TsharkError(f"{tshark.path} does not start: {_reason(error)}", INSTALL) from None
    rows = [line.split("\t") for line in done.stdout.decode(errors="replace").splitlines()]
    names = {row[2].strip() for row in rows if len(row) > 2} - _KEPT
    (folder / "disabled_protos").write_text("".join(f"{name}\n" for name in sorted(names)))


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Have this process start others with an environment: pyshark cannot be told."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _reason(error: Exception) -> str:
    """An error of others in a line, such as the last one that tshark wrote."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line.removeprefix("Last error line: ") for line in lines if line.startswith("Last error line: ")]
    return shortened(telling[0] if telling else lines[0] if lines else type(error).__name__)
