"""Packets of an interface through scapy's socket of this system: macOS and the BSDs (BPF), Windows (Npcap).

Each packet costs a system call or so, and some Python: enough for thousands a second, not for a busy server. Linux has
`ring` instead, and this works there as well. What is sent on loopback comes twice there; scapy does not say which is
which.
"""

import logging
import select
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from eiosniff.capture.live.devices import unknown_interface
from eiosniff.capture.live.source import LiveSource, State
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType, PacketBatch

# One `take` ends with this many packets.
_MOST_PACKETS: Final = 5_000
# The longest packet there is on Linux, with segmentation left to the card (bytes).
_LONGEST: Final = 1 << 18
_RETRY_S: Final = 1.0
_RIGHTS: Final = {
    "darwin": "use sudo, or install ChmodBPF, which comes with Wireshark",
    "win32": "install Npcap (https://npcap.com), and run this as administrator if it was set up so",
}

_Packet = tuple[bytes, float]


class PortableSource(LiveSource):
    """Packets of an interface, as scapy gives them. Their times are of the kernel, to some 100 ns; packets that were
    cut are not known as such."""

    def __init__(
        self,
        interface: str,
        expression: str,
        *,
        listen: Callable[..., Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listen` makes a socket as scapy's `conf.L2listen` does, which it is if not given; `clock` gives seconds.

        Raises `OSError` where the system does not let us, and `CaptureError` for an interface or filter that is none.
        """
        super().__init__(interface, "scapy", "packet socket")
        self._expression = expression
        self._listen = listen or _listen_of_scapy()
        self._clock = clock
        self._tried_s = clock()
        self._dropped: int | None = None
        self._dropped_before = 0  # by sockets before this one
        self._link_types: list[int] = []
        self._link_type = int(LinkType.ETHERNET)
        self._failed = False
        self._socket: Any = self._opened()

    @property
    def link_types(self) -> list[int]:
        """See `LiveSource`; none before there is a packet."""
        return self._link_types

    @property
    def dropped(self) -> int | None:
        """See `LiveSource`; None on Windows."""
        return self._dropped

    def fileno(self) -> int:
        """See `LiveSource`; always -1 on Windows, where `take` must be tried now and then."""
        return -1 if self._socket is None or sys.platform == "win32" else int(self._socket.fileno())

    def take(self) -> list[PacketBatch]:
        """See `LiveSource`."""
        if self._socket is None:
            return []
        packets = self._received()
        if not packets and self._is_readable():
            packets = self._received()  # one may have come in between; else there is something, and nothing comes
            self._failed = self._failed or not packets
        if self._failed:
            self._lose()
        else:
            self.state, self.note = State.RUNNING, ""
        if not packets:
            return []
        batch = self._batch(packets)
        self.count(batch)
        return [batch]

    def _received(self) -> list[_Packet]:
        """What there is now. What scapy has read already must be taken, as its socket is not readable for that."""
        packets: list[_Packet] = []
        receive, ahead = self._socket.recv_raw, getattr(self._socket, "buffered_frames", lambda: 0)
        # BPF wants to be read with the size of its buffer, which is the default there.
        size = (_LONGEST,) if sys.platform == "linux" else ()
        while len(packets) < _MOST_PACKETS or ahead():
            try:
                layer, data, ts_s = receive(*size)
            except RecursionError:  # scapy takes a full buffer of short packets apart by recursion
                continue
            except BlockingIOError:
                break
            except OSError:  # the interface is down, or gone
                self._failed = True
                break
            if data is None:
                break
            if not packets:
                self._learn_link_type(layer)
            packets.append((data, time.time() if ts_s is None else float(ts_s)))
        return packets

    def _learn_link_type(self, layer: Any) -> None:
        self._link_type = _link_type(layer)
        if self._link_type not in self._link_types:
            self._link_types.append(self._link_type)

    def _batch(self, packets: list[_Packet]) -> PacketBatch:
        count = len(packets)
        length = np.fromiter((len(data) for data, _ in packets), np.int64, count)
        seconds = np.fromiter((ts_s for _, ts_s in packets), np.float64, count)
        whole = np.floor(seconds)
        return PacketBatch(
            number=np.arange(self.packets + 1, self.packets + count + 1, dtype=np.int64),
            ts_ns=whole.astype(np.int64) * 1_000_000_000 + ((seconds - whole) * 1e9).astype(np.int64),
            offset=length.cumsum() - length,
            captured=length,
            wire=length,
            link_type=np.full(count, self._link_type, np.int64),
            buffer=b"".join(data for data, _ in packets),
        )

    def _is_readable(self) -> bool:
        return self.fileno() >= 0 and bool(select.select([self.fileno()], [], [], 0)[0])

    def _lose(self) -> None:
        """The interface gives nothing any more: it is tried again, by `poll`."""
        self._end()
        self._failed = False
        self.state, self.note = State.WAITING, f"{self.name} is down or gone"
        self._tried_s = self._clock()

    def poll(self) -> None:
        """See `LiveSource`."""
        if self.state is State.ENDED:
            return
        if self._socket is not None:
            self._measure()
        elif self._clock() - self._tried_s >= _RETRY_S:
            self._tried_s = self._clock()
            try:
                self._socket = self._opened()
            except (OSError, CaptureError):
                return
            if not self._is_readable():  # else the next `take` tells why
                self.state, self.note = State.RUNNING, ""

    def _measure(self) -> None:
        dropped = self._socket.get_stats()[1] if hasattr(self._socket, "get_stats") else None
        if dropped is not None:
            self._dropped = self._dropped_before + dropped

    def _end(self) -> None:
        self._measure()
        self._dropped_before = self._dropped or 0
        self._socket.close()
        self._socket = None

    def close(self) -> None:
        """See `LiveSource`."""
        if self._socket is not None:
            self._end()
        self.state, self.note = State.ENDED, ""

    def _opened(self) -> Any:
        """A socket that does not wait."""
        from scapy.error import Scapy_Exception  # noqa: PLC0415  (takes a while to load)

        try:
            opened = self._listen(iface=self.name, filter=self._expression or None, promisc=True)
        except ValueError:  # scapy knows no such interface
            raise unknown_interface(self.name) from None
        except (Scapy_Exception, RuntimeError) as error:
            raise CaptureError(
                f"nothing can be captured on {self.name}: {error}", _RIGHTS.get(sys.platform, "")
            ) from None
        if hasattr(opened, "set_nonblock"):
            opened.set_nonblock(True)
        elif hasattr(opened, "pcap_fd"):
            opened.pcap_fd.setnonblock(True)
        else:
            opened.ins.setblocking(False)
        return opened


def _listen_of_scapy() -> Callable[..., Any]:
    """What opens a socket on this system; scapy keeps quiet from here on."""
    import scapy.error  # noqa: PLC0415  (it sets the level of its logger)

    logging.getLogger("scapy").setLevel(logging.CRITICAL + 1)
    import scapy.arch  # noqa: PLC0415
    import scapy.layers.dot11  # noqa: PLC0415  (these say which link types there are)
    import scapy.layers.inet6  # noqa: PLC0415
    import scapy.layers.ppp  # noqa: PLC0415, F401
    from scapy.config import conf  # noqa: PLC0415

    def listen(**options: Any) -> Any:
        conf.ifaces.reload()  # an interface that was made again has another number
        return conf.L2listen(**options)

    return listen


def _link_type(layer: Any) -> int:
    """The link type of what scapy takes a packet for; Ethernet where it does not know."""
    from scapy.config import conf  # noqa: PLC0415

    return int(conf.l2types.layer2num.get(layer, LinkType.ETHERNET))
