"""TLS connections: which are followed with their secrets, which are only read as far as they are in clear, and what
they are called."""

from collections import Counter
from collections.abc import Callable
from typing import Final, final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.outside.decryption import EitherDecryption
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.sniff import UNKNOWN_YET, Protocol
from eiosniff.decode.tls.keyed import Keyed, Records, Undecided, Verdict
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.decode.unread import UnreadLedger
from eiosniff.model.provenance import SIDES
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import EndKind, StreamEnd

Decrypt = Callable[[Flow, TlsStreams, Undecided], None]
_OTHERS: Final = (Protocol.OTHER, UNKNOWN_YET)


def protocol_name(flow: Flow, protocol: Protocol, port: int = 0) -> str:
    """What a connection is called that is not followed: `TLS (port 443)`."""
    port = port or min(end & 0xFFFF for end in flow.ends)
    return f"{protocol.value} (port {port})"


@final
class TlsConnections:
    """See the module. `unread` is the ledger of what is not followed, `protocols` counts connections by name; `decrypt`
    follows one with what decrypts it, from all that waited."""

    __slots__ = ("_decrypt", "_keyed", "_protocols", "_unread")

    def __init__(
        self, secrets: Secrets | None, unread: UnreadLedger, protocols: Counter[str], decrypt: Decrypt
    ) -> None:
        self._keyed = None if secrets is None else Keyed(secrets)
        self._unread = unread
        self._protocols = protocols
        self._decrypt = decrypt

    @property
    def keyring(self) -> Keyring | None:
        """The secrets, None as long as there are none."""
        keyed = self._keyed
        return keyed.keyring if keyed is not None and keyed.is_of_use else None

    def is_reading(self, flow: Flow) -> bool:
        """Whether a connection is TLS, and not followed (yet)."""
        return self._unread.is_reading(flow) or (self._keyed is not None and self._keyed.is_waiting(flow))

    def read(self, flow: Flow, records: Records, since: int = 0) -> None:
        """Take what comes next of a connection; a captured packet (`since`) told that it is TLS."""
        if flow.opaque is None:
            self._unread.observe(flow, records, since)
        keyed = self._keyed
        if keyed is None or self._unread.is_reading(flow) or not (keyed.is_of_use or keyed.is_waiting(flow)):
            if not self._unread.is_reading(flow):
                self._protocols[protocol_name(flow, Protocol.TLS)] += 1
            self._unread.read_tls(flow, records)
        elif not flow.dropped:
            self._decide(flow, keyed, keyed.take(flow, records))

    def settle(self) -> None:
        """All packets of a batch were told."""
        keyed = self._keyed
        if keyed is not None:
            for flow, verdict in keyed.settled():
                self._decide(flow, keyed, verdict)

    def _decide(self, flow: Flow, keyed: Keyed, verdict: Verdict) -> None:
        if verdict is Verdict.WAIT:
            return
        undecided = keyed.release(flow)
        if verdict is Verdict.LEAVE:
            self._protocols[protocol_name(flow, Protocol.TLS)] += 1
            self._unread.go_on(flow, undecided.witness)
            return
        if flow.opaque is not None:
            flow.opaque.drop()
            flow.opaque = None
        streams = keyed.streams()
        self._decrypt(flow, streams, undecided)
        streams.witness = undecided.witness  # which has taken what waited

    def end_waiting(self, flow: Flow) -> None:
        """A connection is over, perhaps before it was decided what becomes of it."""
        keyed = self._keyed
        if keyed is None or not keyed.is_waiting(flow):
            return
        self._decide(flow, keyed, keyed.closed(flow))
        conversation = flow.conversation
        if isinstance(conversation, Conversation):
            for side in SIDES:
                if not conversation.ledger.ends[side]:
                    conversation.end(StreamEnd(side, EndKind.RST if flow.reset else EndKind.CAPTURE_ENDED, flow.last))

    def closed(self, flow: Flow, conversation: Conversation, order: int) -> None:
        """A connection that is followed, and may be or hold TLS, is over."""
        tunnel, decryption = conversation.tunnel, conversation.decryption
        streams = decryption.streams if isinstance(decryption, EitherDecryption) else decryption
        if isinstance(streams, TlsStreams):
            self._note_keyed(flow, conversation, streams, order)
        elif tunnel is not None and tunnel.holds in (Protocol.TLS, Protocol.OTHER):
            self._protocols[protocol_name(flow, tunnel.holds, tunnel.port)] += 1
            if tunnel.holds is Protocol.TLS:
                self._unread.add_tunnel(conversation.ledger.server, tunnel.beginning, order, None)

    def _note_keyed(self, flow: Flow, conversation: Conversation, streams: TlsStreams, order: int) -> None:
        sealed = conversation.sealed
        if sealed is not None:
            self._protocols[protocol_name(flow, Protocol.TLS, sealed.port)] += 1
            self._unread.add_tunnel(conversation.ledger.server, sealed.beginning, order, streams)
        elif streams.witness is not None:
            self._protocols[_name_carried(flow, conversation, streams)] += 1
            self._unread.add_keyed(flow, streams.witness, order, streams)


def _name_carried(flow: Flow, conversation: Conversation, streams: TlsStreams) -> str:
    tunnel = conversation.tunnel
    holds = tunnel.holds if tunnel is not None and not tunnel.depth else Protocol.HTTP_REQUEST
    if not streams.opened or holds in _OTHERS:
        return protocol_name(flow, Protocol.TLS)
    return "HTTP/2 over TLS" if holds is Protocol.HTTP2 else "HTTP over TLS"
