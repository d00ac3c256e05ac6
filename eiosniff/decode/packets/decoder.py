"""Link, IP and TCP headers of a whole `PacketBatch`, by column: from captured packets to TCP segments.

How it works, since no packet is ever an object here: a `Layer` says, for many packets at once, where the header of one
layer begins and where the packet ends. Each step *gathers* that header of all packets with one numpy operation, checks
it, sets aside and counts what does not go on, and makes the `Layer` above. What is odd (VLAN tags, extension headers)
takes another pass over the few packets that have it, and so does what a tunnel carries (`tunnels`); only IP fragments
are looked at one by one.

Nothing is read before it is known to be captured, and nothing is made that has the length of the buffer, which may be
a mapped file of many gigabytes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import Field, dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from eiosniff.decode.packets import headers, tunnels
from eiosniff.decode.packets.addresses import AddressTable
from eiosniff.decode.packets.fragments import Fragment, Reassembler, ipv4_fragment, ipv6_fragment
from eiosniff.decode.packets.headers import Layer
from eiosniff.decode.packets.quic import HEADER as QUIC
from eiosniff.decode.packets.quic import QuicCounter
from eiosniff.decode.packets.reading import DecodeCounters, Reader
from eiosniff.model.batch import Buffer, Int64s, LinkType, PacketBatch

# Nobody stacks as many; a packet made of nothing else must not cost a pass over the columns for each of its headers.
_MAX_TAGS: Final = 8
_MAX_EXTENSION_HEADERS: Final = 16
# Tunnels in tunnels: a mirror (ERSPAN, VXLAN) of an overlay (VXLAN, Geneve) over PPPoE or MPLS, and one to spare.
_MAX_TUNNELS: Final = 4


@dataclass(slots=True)
class TcpSegments:
    """The TCP segments of a batch, in capture order, as `int64` columns of one length.

    `row` is the packet's index in the batch; `number` and `ts_ns` are the packet's own. `source` and `destination` are
    `address id << 16 | port` (`PacketDecoder.address`); ids say nothing but which address it is. `seq`, `ack` and
    `window` are the header's values, `flags` its octet of eight bits from CWR (0x80) to FIN (1), `ttl` the hop limit,
    and `identification` that of IPv4 (0 for IPv6).

    The payload had `payload_wire` bytes on the wire, by the IP header (Ethernet padding is not payload); the first
    `payload_captured` of them were captured, and lie at `payload_offset` in `buffer`, which is the batch's. Only the
    payload of a reassembled datagram is elsewhere: its `payload_offset` is negative, and `~payload_offset` is its place
    in `extra`. Such a segment has row, number and time of the packet that completed the datagram.
    """

    row: Int64s
    number: Int64s
    ts_ns: Int64s
    source: Int64s
    destination: Int64s
    seq: Int64s
    ack: Int64s
    flags: Int64s
    window: Int64s
    ttl: Int64s
    identification: Int64s
    payload_offset: Int64s
    payload_captured: Int64s
    payload_wire: Int64s
    buffer: Buffer
    extra: bytes = b""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def plain(self) -> bool:
        """Whether all payloads lie in `buffer`."""
        return not self.extra

    def payload(self, index: int) -> bytes:
        """The captured payload bytes of one segment, by its index in the columns."""
        offset, length = int(self.payload_offset[index]), int(self.payload_captured[index])
        if offset < 0:
            return self.extra[~offset : ~offset + length]
        return self.buffer[offset : offset + length]

    def piece(self, start: int, stop: int) -> "TcpSegments":
        """The segments `[start, stop)`."""
        columns = {column.name: getattr(self, column.name)[start:stop] for column in _columns()}
        return TcpSegments(**columns, buffer=self.buffer, extra=self.extra)


def _columns() -> list[Field[Any]]:
    return [column for column in fields(TcpSegments) if column.name not in ("buffer", "extra")]


class PacketDecoder:
    """Finds the TCP segments of a capture, batch by batch. What it yields does not depend on how batches are cut.

    Between batches it keeps the fragments of incomplete IP datagrams (bounded), the IPv6 addresses of TCP segments
    seen so far, and `counters`. Link types, EtherTypes and protocols that it does not know are counted and left out.
    """

    def __init__(self) -> None:
        self.counters = DecodeCounters()
        self.quic = QuicCounter()
        self._addresses = AddressTable()
        self._reassembler = Reassembler()

    def address(self, id: int) -> str:
        """The IP address with this id, as text."""
        return self._addresses.text(id)

    @property
    def is_crowded(self) -> bool:
        """Whether it knows so many addresses that it is worth while to `keep` only those in use."""
        return self._addresses.is_crowded

    def keep(self, ends: Iterable[int]) -> None:
        """Forget all addresses but those of these ends of connections (`address id << 16 | port`)."""
        self._addresses.keep(end >> 16 for end in ends)

    def decode(self, batch: PacketBatch) -> TcpSegments:
        """The TCP segments of the next batch. Never raises on what was captured."""
        decoding = _Decoding(batch, self._addresses, self.counters, self.quic)
        segments = decoding.segments()
        if decoding.fragments:
            segments = self._with_reassembled(segments, batch, decoding.fragments)
        return segments

    def _with_reassembled(self, segments: TcpSegments, batch: PacketBatch, rows: dict[int, Fragment]) -> TcpSegments:
        """`segments`, and those of datagrams that the fragments of this batch (by row) completed."""
        completed: dict[int, bytes] = {}
        for row in sorted(rows):
            if not self._reassembler.wants(rows[row]):
                self.counters.other_ip[headers.PROTOCOL_UDP] += 1
                continue
            self.counters.fragments += 1
            datagram = self._reassembler.add(rows[row], int(batch.ts_ns[row]))
            if datagram is not None:
                completed[row] = datagram
        self.counters.abandoned = self._reassembler.abandoned
        if not completed:
            return segments
        by = np.array(list(completed), np.int64)  # the rows of the packets that completed them
        length = np.array([len(datagram) for datagram in completed.values()], np.int64)
        extra = b"".join(completed.values())
        link_type = np.full(len(by), LinkType.RAW, np.int64)
        datagrams = PacketBatch(
            batch.number[by], batch.ts_ns[by], length.cumsum() - length, length, length, link_type, extra
        )
        reassembled = _Decoding(datagrams, self._addresses, DecodeCounters(), QuicCounter()).segments()
        if not len(reassembled):  # they were not TCP after all (or fragments again, in a tunnel: that is not followed)
            return segments
        self.counters.reassembled += len(reassembled)
        reassembled.row = by[reassembled.row]
        reassembled.payload_offset = ~reassembled.payload_offset
        reassembled.buffer, reassembled.extra = batch.buffer, extra
        return _in_capture_order([segments, reassembled])


class _Decoding:
    """The decoding of one batch, from the bottom up. `fragments` holds, by row, the IP fragments that it came upon."""

    def __init__(
        self, batch: PacketBatch, addresses: AddressTable, counters: DecodeCounters, quic: QuicCounter
    ) -> None:
        self.fragments: dict[int, Fragment] = {}
        self._quic = quic
        self._udp: list[Layer] = []
        self._batch = batch
        self._buffer = batch.buffer
        self._addresses = addresses
        self._counters = counters
        reader = self._reader = Reader(batch.buffer, counters)
        self._captured = reader.captured
        self._gather = reader.gather
        self._carried: list[Layer] = []  # by tunnels: packets with their link type
        self._tunnels_left = _MAX_TUNNELS

    def segments(self) -> TcpSegments:
        batch = self._batch
        self._counters.packets += len(batch)
        wire_end = batch.offset + np.maximum(batch.wire, batch.captured)
        row = np.arange(len(batch), dtype=np.int64)
        packets = Layer(row, batch.offset, batch.offset, batch.offset + batch.captured, wire_end, batch.link_type)
        segments = [part for frames in self._link(packets) for part in self._network(frames)]
        while self._carried:
            carried, self._carried = self._carried, []
            self._tunnels_left -= 1
            for layer in carried:
                segments += [part for frames in self._link(layer) for part in self._network(frames)]
        if self._udp:
            self._look_for_quic()
        return _in_capture_order(segments) if segments else self._tcp(packets.where(row < 0), self._ipv4_ends)

    # -- link layers: what comes out has an EtherType as `protocol` ----------------------------------------------------

    def _link(self, packets: Layer) -> Iterator[Layer]:
        for link_type in _distinct(packets.protocol):
            yield from self._link_of_type(link_type, packets.where(packets.protocol == link_type))

    def _link_of_type(self, link_type: int, frames: Layer) -> Iterator[Layer]:
        match link_type:
            case LinkType.ETHERNET | LinkType.LINUX_SLL | LinkType.LINUX_SLL2:
                type_at, size = headers.ETHERTYPE_AT[link_type]
                frames = self._captured(frames, size)
                ethertype = self._gather(headers.WORD, frames.start + type_at)
                yield from self._untagged(frames.above(frames.start + size, ethertype))
            case LinkType.NULL | LinkType.LOOP:
                frames = self._captured(frames, 4)
                family = self._gather(headers.DOUBLE_WORD, frames.start).astype(np.uint32)
                family = np.minimum(family, family.byteswap())  # the host's byte order, and families are small
                ethertype = np.where(np.isin(family, headers.AF_INET6), headers.TYPE_IPV6, headers.TYPE_NONE)
                ethertype[family == headers.AF_INET] = headers.TYPE_IPV4
                yield frames.above(frames.start + 4, ethertype)
            case LinkType.RAW | LinkType.RAW_BSD | LinkType.RAW_OPENBSD:
                frames = self._captured(frames, 1)
                version = self._gather(headers.OCTET, frames.start) >> 4
                yield frames.above(frames.start, headers.TYPE_OF_VERSION[version])
            case LinkType.IPV4:
                yield frames.above(frames.start, np.full(len(frames), headers.TYPE_IPV4))
            case LinkType.IPV6:
                yield frames.above(frames.start, np.full(len(frames), headers.TYPE_IPV6))
            case LinkType.NOT_IP:
                self._counters.not_ip[headers.TYPE_NONE] += len(frames)
            case LinkType.ENCRYPTED:
                self._counters.encrypted += len(frames)
            case LinkType.MALFORMED:
                self._counters.malformed += len(frames)
            case LinkType.SHORT:
                self._counters.short += len(frames)
            case _:
                self._counters.unknown_link[link_type] += len(frames)

    def _untagged(self, frames: Layer) -> Iterator[Layer]:
        """The frames behind their VLAN tags."""
        for _ in range(_MAX_TAGS):
            tagged = np.isin(frames.protocol, headers.TYPE_TAGS)
            yield frames.where(~tagged)
            if not tagged.any():
                return
            frames = self._captured(frames.where(tagged), headers.TAG.itemsize)
            frames = frames.above(frames.start + headers.TAG.itemsize, self._gather(headers.TAG, frames.start)["type"])
        yield frames

    # -- IP and TCP ----------------------------------------------------------------------------------------------------

    def _network(self, frames: Layer) -> Iterator[TcpSegments]:
        ipv4, ipv6 = frames.protocol == headers.TYPE_IPV4, frames.protocol == headers.TYPE_IPV6
        neither = ~(ipv4 | ipv6)
        if neither.any():
            self._not_ip(frames.where(neither))
        if ipv4.any():
            for layer in self._ipv4(frames.where(ipv4)):
                yield self._tcp(layer, self._ipv4_ends)
        if ipv6.any():
            for layer in self._ipv6(frames.where(ipv6)):
                yield self._tcp(layer, self._ipv6_ends)

    def _not_ip(self, frames: Layer) -> None:
        """Open tunnels, and count the others."""
        ethertype = np.where(frames.protocol < headers.TYPE_SMALLEST, headers.TYPE_NONE, frames.protocol)
        for kind in _distinct(ethertype):
            of_kind = ethertype == kind
            opener = tunnels.of_ethertype(kind)
            if opener is None or not self._tunnels_left:
                self._counters.not_ip[kind] += int(np.count_nonzero(of_kind))
            else:
                self._open(opener, frames.where(of_kind), self._counters.not_ip, kind)

    def _open(self, opener: tunnels.Opener, packets: Layer, counter: Counter[int], kind: int) -> None:
        """Take what tunnels of one kind carry; those in which that is not known are counted as this kind."""
        for layer in opener(self._reader, packets):
            unknown = int(np.count_nonzero(layer.protocol == tunnels.NOTHING))
            if unknown:
                counter[kind] += unknown
            if unknown < len(layer):
                self._carried.append(layer.where(layer.protocol != tunnels.NOTHING))

    def _ipv4(self, packets: Layer) -> Iterator[Layer]:
        packets = self._captured(packets, headers.IPV4.itemsize)
        header = self._gather(headers.IPV4, packets.start)
        payload = packets.start + (header["version_ihl"] & 0xF).astype(np.int64) * 4
        end = _end_of_datagram(packets, packets.start, header["total_length"])
        version_true = header["version_ihl"] >> 4 == 4
        true = version_true & (payload >= packets.start + 20) & (payload <= end) & (end <= packets.wire_end)
        fragment = header["flags_fragment_offset"] & 0x3FFF != 0  # more fragments, or an offset
        datagrams = _datagrams(packets, payload, end, header["protocol"])
        self._counters.malformed += int(np.count_nonzero(~true))
        self._set_aside(datagrams.where(true & fragment), headers.CHAINED_IPV4)
        return self._transport(datagrams.where(true & ~fragment), headers.CHAINED_IPV4)

    def _ipv6(self, packets: Layer) -> Iterator[Layer]:
        packets = self._captured(packets, headers.IPV6.itemsize)
        header = self._gather(headers.IPV6, packets.start)
        payload = packets.start + headers.IPV6.itemsize
        end = _end_of_datagram(packets, payload, header["payload_length"])
        true = (header["version_class"] >> 4 == 6) & (end <= packets.wire_end)
        self._counters.malformed += int(np.count_nonzero(~true))
        datagrams = _datagrams(packets, payload, end, header["next_header"])
        return self._transport(datagrams.where(true), headers.CHAINED_IPV6)

    def _transport(self, datagrams: Layer, chained: npt.NDArray[np.bool_]) -> Iterator[Layer]:
        """The TCP segments in the datagrams, found behind headers that are `chained` before them."""
        for layer in self._unchained(datagrams, chained):
            tcp = layer.protocol == headers.PROTOCOL_TCP
            if not tcp.all():
                self._udp.append(layer.where(layer.protocol == headers.PROTOCOL_UDP))
                self._not_tcp(layer.where(~tcp))
            if tcp.any():
                yield layer.where(tcp)

    def _not_tcp(self, datagrams: Layer) -> None:
        """Open tunnels, and count the others."""
        for protocol in _distinct(datagrams.protocol):
            of_kind = datagrams.protocol == protocol
            opener = tunnels.of_protocol(protocol)
            if opener is None or not self._tunnels_left:
                self._counters.other_ip[protocol] += int(np.count_nonzero(of_kind))
            else:
                self._open(opener, datagrams.where(of_kind), self._counters.other_ip, protocol)

    def _unchained(self, datagrams: Layer, chained: npt.NDArray[np.bool_]) -> Iterator[Layer]:
        for _ in range(_MAX_EXTENSION_HEADERS):
            extended = chained[datagrams.protocol]
            yield datagrams.where(~extended)
            if not extended.any():
                return
            datagrams = self._captured(datagrams.where(extended), headers.EXTENSION.itemsize)
            header = self._gather(headers.EXTENSION, datagrams.start)
            kind, length = datagrams.protocol, header["length"].astype(np.int64)
            octets = np.where(kind == headers.PROTOCOL_AH, (length + 2) * 4, (length + 1) * 8)  # RFC 4302, section 2.2
            octets[kind == headers.PROTOCOL_FRAGMENT] = headers.EXTENSION.itemsize
            # Offset 0 and no more fragments: the header is there, but the datagram is whole (RFC 6946).
            fragment = (kind == headers.PROTOCOL_FRAGMENT) & (header["fragment_offset_flags"] & 0xFFF9 != 0)
            self._set_aside(datagrams.above(datagrams.start, header["next_header"]).where(fragment), chained)
            datagrams = datagrams.above(datagrams.start + octets, header["next_header"]).where(~fragment)
        yield datagrams

    def _set_aside(self, pieces: Layer, chained: npt.NDArray[np.bool_]) -> None:
        """Keep fragments that may hold TCP. (Only the first need say so, but no sender lies in the others.)"""
        wanted = headers.MAY_HOLD_TCP[pieces.protocol] | chained[pieces.protocol]
        _count(self._counters.other_ip, pieces.protocol[~wanted])
        pieces = pieces.where(wanted)
        whole = pieces.captured_end == pieces.wire_end
        self._counters.short += int(np.count_nonzero(~whole))
        pieces = pieces.where(whole)
        for row, ip, start, end in np.stack((pieces.row, pieces.ip, pieces.start, pieces.wire_end), axis=1).tolist():
            packet = self._buffer[ip:end]
            fragment = ipv4_fragment(packet, start - ip) if packet[0] >> 4 == 4 else ipv6_fragment(packet, start - ip)
            if fragment is None:
                self._counters.malformed += 1
            else:
                self.fragments[row] = fragment

    def _tcp(self, layer: Layer, ends: Callable[[Int64s], tuple[Int64s, Int64s, Int64s, Int64s]]) -> TcpSegments:
        """The segments of which `layer` is the TCP header; `ends` reads what there is of the IP header."""
        layer = self._captured(layer, headers.TCP.itemsize)
        header = self._gather(headers.TCP, layer.start)
        payload = layer.start + (header["data_offset"] >> 4).astype(np.int64) * 4
        true = (payload >= layer.start + headers.TCP.itemsize) & (payload <= layer.wire_end)
        if not true.all():
            self._counters.malformed += int(np.count_nonzero(~true))
            layer, header, payload = layer.where(true), header[true], payload[true]
        self._counters.tcp += len(layer)
        source, destination, ttl, identification = ends(layer.ip)
        payload_offset = np.minimum(payload, layer.captured_end)  # options may be cut
        return TcpSegments(
            row=layer.row,
            number=self._batch.number[layer.row],
            ts_ns=self._batch.ts_ns[layer.row],
            source=source << 16 | header["source_port"],
            destination=destination << 16 | header["destination_port"],
            seq=header["sequence_number"].astype(np.int64),
            ack=header["acknowledgment_number"].astype(np.int64),
            flags=header["flags"].astype(np.int64),
            window=header["window"].astype(np.int64),
            ttl=ttl,
            identification=identification,
            payload_offset=payload_offset,
            payload_captured=layer.captured_end - payload_offset,
            payload_wire=layer.wire_end - payload,
            buffer=self._buffer,
        )

    def _ipv4_ends(self, ip: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        header = self._gather(headers.IPV4, ip)
        source, destination = header["source"].astype(np.int64), header["destination"].astype(np.int64)
        ttl, identification = header["time_to_live"].astype(np.int64), header["identification"].astype(np.int64)
        return source, destination, ttl, identification

    def _ipv6_ends(self, ip: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        header = self._gather(headers.IPV6, ip)
        ids = self._addresses.intern(np.stack((header["source"], header["destination"]), axis=1).ravel())
        return ids[0::2], ids[1::2], header["hop_limit"].astype(np.int64), np.zeros(len(ip), np.int64)

    def _look_for_quic(self) -> None:
        """Hand the UDP datagrams of the batch, in capture order, to who counts those of QUIC."""
        row, ip, start, captured_end = (
            np.concatenate([getattr(layer, column) for layer in self._udp])
            for column in ("row", "ip", "start", "captured_end")
        )
        order = np.argsort(row, kind="stable")
        order = order[(start + QUIC.itemsize <= captured_end)[order]]  # shorter ones, or cut ones, tell nothing
        row, ip, start, captured_end = row[order], ip[order], start[order], captured_end[order]

        def addresses(wanted: npt.NDArray[np.bool_]) -> tuple[Int64s, Int64s]:
            chosen = ip[wanted]
            is_ipv4 = self._gather(headers.OCTET, chosen) >> 4 == 4
            sources, destinations = np.empty_like(chosen), np.empty_like(chosen)
            sources[is_ipv4], destinations[is_ipv4], _, _ = self._ipv4_ends(chosen[is_ipv4])
            header = self._gather(headers.IPV6, chosen[~is_ipv4])
            for ends, name in ((sources, "source"), (destinations, "destination")):
                ends[~is_ipv4] = self._quic.addresses.intern(header[name])
            return sources, destinations

        def payload(at: int) -> bytes:
            return self._buffer[int(start[at]) + headers.UDP_LENGTH : int(captured_end[at])]

        header = self._gather(QUIC, start)
        self._quic.take(header, self._batch.number[row], self._batch.ts_ns[row], addresses, payload)


def _end_of_datagram(packets: Layer, start: Int64s, length_field: npt.NDArray[np.integer[Any]]) -> Int64s:
    """Where the datagrams end by their length, counted from `start`.

    The length is 0 where it did not fit: in the large packets that the sender's network card has yet to cut into
    segments (Linux captures them so), and in jumbograms (RFC 2675).
    """
    length = length_field.astype(np.int64)
    return np.where(length == 0, packets.wire_end, start + length)


def _datagrams(packets: Layer, payload: Int64s, end: Int64s, protocol: npt.NDArray[np.integer[Any]]) -> Layer:
    """What IP carries: from `payload` to `end`, without what the link layer added behind it."""
    captured_end = np.minimum(packets.captured_end, end)
    return Layer(packets.row, packets.start, payload, captured_end, end, protocol.astype(np.int64))


def _distinct(column: Int64s) -> list[int]:
    """The different values of a column, of which there is hardly ever more than one."""
    if len(column) and (column == column[0]).all():
        return [int(column[0])]
    distinct: list[int] = np.unique(column).tolist()
    return distinct


def _count(counter: Counter[int], values: Int64s) -> None:
    distinct, counts = np.unique(values, return_counts=True)
    counter.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))


def _in_capture_order(parts: list[TcpSegments]) -> TcpSegments:
    """The segments of all parts of one batch as one; only the last part may have an `extra`."""
    if len(parts) == 1:
        return parts[0]
    columns = {column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in _columns()}
    order = np.argsort(columns["row"], kind="stable")
    in_order = {name: column[order] for name, column in columns.items()}
    return TcpSegments(**in_order, buffer=parts[-1].buffer, extra=parts[-1].extra)
