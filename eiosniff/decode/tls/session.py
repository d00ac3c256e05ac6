"""What one handshake of a TLS connection agreed on, and the keys that follow from it (RFC 8446, section 7; RFC 5246,
section 6.3)."""

from typing import Final, final

from eiosniff.decode.tls.clear import TLS_1_2, TLS_1_3, ClientHello, ServerHello
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.keys import TLS_1_2_SUITES, TLS_1_3_SUITES, RecordKeys, Suite, keys_1_2, keys_1_3
from eiosniff.model.provenance import CLIENT, Side
from eiosniff.model.secrets import CLIENT_EARLY, CLIENT_HANDSHAKE, CLIENT_TRAFFIC, SERVER_HANDSHAKE, SERVER_TRAFFIC
from eiosniff.model.unread import Undecrypted

_HANDSHAKE: Final = (CLIENT_HANDSHAKE, SERVER_HANDSHAKE)
_TRAFFIC: Final = (CLIENT_TRAFFIC, SERVER_TRAFFIC)


@final
class TlsSession:
    """A ClientHello, and what came of it.

    `asked` and `since` are the captured packets that completed the two hellos. `retried`: the server asked for another
    ClientHello, which was read if the client has `asked_again`. `is_full`: the server showed its certificate, so that
    nothing is resumed (up to TLS 1.2).
    """

    __slots__ = (
        "_early", "_early_since", "_keyring", "_pair", "asked", "asked_again", "hello", "is_full", "retried", "server",
        "since", "suite",
    )  # fmt: skip

    def __init__(self, keyring: Keyring, hello: ClientHello, asked: int) -> None:
        self._keyring = keyring
        self.hello = hello
        self.asked = asked
        self.server: ServerHello | None = None
        self.since = asked
        self.suite: Suite | None = None
        self.retried = False
        self.asked_again = False
        self.is_full = False
        self._early: bool | None = None  # whether the server accepted early data, as far as that is known
        self._early_since = 0
        self._pair: list[RecordKeys] | None = None

    @property
    def answered(self) -> bool:
        """Whether the ServerHello was read."""
        return self.server is not None

    @property
    def is_1_3(self) -> bool:
        """Whether TLS 1.3 was chosen."""
        return self.server is not None and self.server.version == TLS_1_3

    def answer(self, server: ServerHello, order: int) -> None:
        """The ServerHello, completed by a captured packet."""
        self.server = server
        self.since = max(self.asked, order)
        if server.version == TLS_1_3:
            self.suite = TLS_1_3_SUITES.get(server.suite)
        elif server.version == TLS_1_2 and not server.compression:
            self.suite = TLS_1_2_SUITES.get(server.suite)

    def accept_early(self, accepted: bool, order: int) -> None:
        """The server said whether it takes the data that were sent at once."""
        self._early = accepted
        self._early_since = order

    # ------------------------------------------------------------------ TLS 1.2

    def pair(self, late: int) -> list[RecordKeys] | None:
        """The keys of both sides (TLS 1.2), None if they are not known. `late` is the packet at hand if they were not
        known when they were needed first, else 0."""
        if self._pair is None and self.server is not None and self.suite is not None:
            master = self._master()
            if master is not None:
                since = max(self.since, late)
                self._pair = keys_1_2(self.suite, master, self.hello.random, self.server.random, since)
                if self.is_full:
                    self._keyring.remember(self.server.session, master, self.since)
        return self._pair

    def _master(self) -> bytes | None:
        hello, server = self.hello, self.server
        master = self._keyring.master(hello.random)
        if master is not None or self.is_full or server is None:
            return master
        master = self._keyring.resumed(hello.ticket, self.asked)
        if master is None and server.session == hello.session:
            master = self._keyring.resumed(hello.session, self.asked)
        return master

    def gives(self, ticket: bytes, order: int) -> None:
        """The server gave the client a ticket (up to TLS 1.2)."""
        master = self._master()
        if master is not None:
            self._keyring.remember(ticket, master, order)

    # ------------------------------------------------------------------ TLS 1.3

    def lacks(self) -> Undecrypted | None:
        """Why this connection cannot be decrypted, by the secrets that there are; None if it can, as far as they go."""
        if self.suite is None:
            return Undecrypted.CIPHER
        if not self.is_1_3:
            return None if self._master() is not None else Undecrypted.NO_KEYS
        client, server = (self._secret(label) for label in _TRAFFIC)
        if client is not None and server is not None:
            return None
        if client is not None or server is not None:
            return Undecrypted.HALF
        known = any(self._secret(label) is not None for label in _HANDSHAKE)
        return None if known else Undecrypted.NO_KEYS

    def chain(self, side: Side, late: int) -> list[RecordKeys]:
        """The keys that a side uses one after the other (TLS 1.3), as far as they are known; none if it has to be
        waited for what the server says of early data."""
        suite, since = self.suite, max(self.since, late)
        if suite is None:
            return []
        chain: list[RecordKeys] = []
        hello = self.hello
        if side is CLIENT and hello.early and not self.retried:
            early = self._secret(CLIENT_EARLY)
            if early is not None and self._early is None and self._secret(SERVER_HANDSHAKE) is not None:
                return []
            if early is not None and self._early is not False:
                chain.append(keys_1_3(suite, early, max(since, self._early_since), application=True))
        handshake = self._secret(_HANDSHAKE[side])
        if handshake is not None:
            chain.append(keys_1_3(suite, handshake, since, application=False))
        traffic = self.traffic(side, late)
        if traffic is not None:
            chain.append(traffic)
        return chain

    def traffic(self, side: Side, late: int) -> RecordKeys | None:
        """The first keys for data of a side (TLS 1.3), None as long as those of either side are not known."""
        secrets = [self._secret(label) for label in _TRAFFIC]
        secret = secrets[side]
        if self.suite is None or secret is None or secrets[1 - side] is None:
            return None
        return keys_1_3(self.suite, secret, max(self.since, late), application=True)

    def _secret(self, label: str) -> bytes | None:
        return self._keyring.secrets.get(label, self.hello.random)
