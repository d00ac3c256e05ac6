"""What a capture lacks, and what else it holds: for its summary."""

from typing import Final, final

import numpy as np

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.packets.headers import PROTOCOL_UDP
from eiosniff.decode.tcp.flow import BOTH_WAYS
from eiosniff.model.batch import PacketBatch
from eiosniff.model.provenance import PacketRef
from eiosniff.model.summary import CaptureProblem, CaptureSummary
from eiosniff.model.tally import Tally
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.model.unread import UnreadKind

MAX_CODINGS: Final = 16  # that could not be read
OTHER_CODINGS: Final = "of some other name"
# Connections were captured twice if that is so of a fifth of their bytes, and of two packets: networks double one now
# and then, and a connection of polling may have no others.
CAPTURED_TWICE: Final = 5
MOST_DOUBLED: Final = 1


@final
class Quality:
    """What is missing of the connections that matter, or there twice."""

    __slots__ = ("_bytes", "_copied", "_summary", "_unreadable")

    def __init__(self, summary: CaptureSummary) -> None:
        self._summary = summary
        # By coding: the packet with the end of the first body in it that could not be read, and how many there were.
        self._unreadable: dict[str, tuple[int, int]] = {}
        self._bytes = 0  # of Engine.IO connections
        self._copied = 0  # of these, captured more than once

    def note_cut(self, batch: PacketBatch) -> None:
        """Count the packets that the snap length cut."""
        cut = np.flatnonzero(batch.captured < batch.wire)
        if not len(cut):
            return
        summary, first = self._summary, cut[0]
        summary.cut = summary.cut or PacketRef(int(batch.number[first]), int(batch.ts_ns[first]))
        summary.cut_packets += len(cut)
        summary.cut_length = max(summary.cut_length, int(batch.captured[cut].max()))

    def note_unreadable(self, conversation: Conversation, anomaly: Anomaly) -> None:
        """Count the bodies that were not read for want of a library."""
        if anomaly.kind is AnomalyKind.HTTP_UNREADABLE_CODING and conversation.is_engineio:
            known = anomaly.found in self._unreadable or len(self._unreadable) < MAX_CODINGS
            coding = anomaly.found if known else OTHER_CODINGS
            first, count = self._unreadable.get(coding, (anomaly.place.number, 0))
            self._unreadable[coding] = first, count + 1

    def note(self, conversation: Conversation) -> None:
        """What the capture lacks of a connection that is over, if it matters."""
        if not conversation.is_engineio:
            return
        ledger, summary = conversation.ledger, self._summary
        summary.engineio_connections += 1
        summary.gap_bytes += ledger.gap_bytes
        summary.cut_bytes += conversation.cut_bytes
        for place in conversation.gaps:
            summary.gaps.add(place, place.ts_ns)
        if ledger.midstream:
            summary.midstream.add(ledger.first, ledger.first.ts_ns)
        if conversation.flow.heard != BOTH_WAYS and any(ledger.bytes):
            summary.one_direction.add(ledger.first, ledger.first.ts_ns)
        flow, copies = conversation.flow, sum(ledger.duplicates)
        self._bytes += sum(ledger.bytes)
        self._copied += flow.copied
        if flow.copy is not None and copies > MOST_DOUBLED and flow.copied * CAPTURED_TWICE >= sum(ledger.bytes):
            summary.duplicates.add(flow.copy, flow.copy.ts_ns)
            summary.duplicate_packets += copies

    def summarise(self) -> None:
        """The capture is over."""
        summary = self._summary
        for coding, (number, count) in self._unreadable.items():
            bodies = "1 HTTP body was" if count == 1 else f"{count} HTTP bodies were"
            text = f"{bodies} not read, in the coding {coding}"
            summary.problems.append(CaptureProblem(AnomalyKind.HTTP_UNREADABLE_CODING.value, text, number))
        if self._copied * CAPTURED_TWICE < self._bytes:
            summary.duplicates, summary.duplicate_packets = Tally(), 0


def note_others(summary: CaptureSummary, protocols: dict[str, int], packets: PacketDecoder) -> None:
    """What else was there: connections by what they speak, and packets that are no TCP."""
    counters = packets.counters
    summary.other = dict(sorted(protocols.items(), key=lambda entry: (-entry[1], entry[0])))
    quic = sum(entry.count for entry in summary.unread if entry.kind is UnreadKind.QUIC)
    udp = counters.other_ip[PROTOCOL_UDP] - sum(server.datagrams for server in packets.quic.servers.values())
    others = {
        "not IP": sum(counters.not_ip.values()),
        "QUIC datagrams": quic,
        "UDP packets" if not quic else "other UDP packets": udp,
        "other IP protocols": sum(counters.other_ip.values()) - counters.other_ip[PROTOCOL_UDP],
        "packets cut before the end of their headers": counters.short,
        "malformed packets": counters.malformed,
        "encrypted Wi-Fi frames": counters.encrypted,
        **{f"packets of link type {link}": count for link, count in counters.unknown_link.items()},
    }
    summary.other.update({name: count for name, count in others.items() if count})
