"""A TLS connection with the secrets that its peers wrote down: its records in, plain text out (RFC 8446, RFC 5246).

The two directions are read apart, each as far as it goes: the client's keys depend on the ServerHello, which may be
told later than what the client sent after it. A direction that needs what is not known yet waits.
"""

from typing import Final, final

from eiosniff.decode.offsets import OffsetMap
from eiosniff.decode.tls.clear import TlsHandshake, accepts_early, read_client_hello, read_server_hello, ticket_of
from eiosniff.decode.tls.decryption import Decryption, Plain
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.messages import (
    CLIENT_HELLO,
    ENCRYPTED_EXTENSIONS,
    END_OF_EARLY_DATA,
    FINISHED,
    KEY_UPDATE,
    NEW_SESSION_TICKET,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    Messages,
)
from eiosniff.decode.tls.plain import PlainText
from eiosniff.decode.tls.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Record, RecordReader
from eiosniff.decode.tls.session import TlsSession
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from eiosniff.model.unread import Undecrypted

# Bytes of a direction that wait for secrets, or for what the other side said: a log is behind by some milliseconds.
MAX_HELD: Final = 4 << 20
_FATAL: Final = 2
_SERVER_HELLO_BEGINS: Final = bytes((SERVER_HELLO,))
_SWITCHES: Final = (END_OF_EARLY_DATA, FINISHED, KEY_UPDATE)


@final
class TlsStreams(Decryption):
    """See `Decryption` and the module.

    `witness` takes what is in clear, for the ledger of connections that are TLS; alerts that are not in clear are added
    to it. `undecrypted` says why nothing (more) is decrypted, None while something is; `cipher` is the number of the
    cipher suite, if that is why. `elsewhere` is for whoever decrypts it instead to set.
    """

    __slots__ = (
        "_holding", "_keyring", "_late", "_maps", "_messages", "_next", "_now", "_plain", "_readers", "_seen_grown",
        "_session", "_wants", "cipher", "elsewhere", "undecrypted", "witness",
    )  # fmt: skip

    def __init__(self, keyring: Keyring, witness: TlsHandshake | None = None) -> None:
        super().__init__()
        self._keyring = keyring
        self.witness = witness
        self.undecrypted: Undecrypted | None = None
        self.cipher = -1
        self.elsewhere = False
        self._readers = [RecordReader(side) for side in SIDES]
        self._messages = [Messages(), Messages()]
        self._plain = [PlainText(side) for side in SIDES]
        self._maps = [OffsetMap(), OffsetMap()]
        self._holding = [False, False]  # until what is needed is known
        self._wants = [False, False]  # keys, before the next record
        self._late = [False, False]  # the keys were not known when they were needed
        self._session: TlsSession | None = None  # of the latest ClientHello
        self._next: list[TlsSession | None] = [None, None]  # whose keys a side is about to use
        self._now = 0  # the packet at hand
        self._seen_grown = -1

    @property
    def opened(self) -> bool:
        """Whether any record could be opened."""
        return self.elsewhere or self._readers[0].proven or self._readers[1].proven

    # ------------------------------------------------------------------ Decryption

    def feed(self, chunk: StreamChunk) -> Plain:
        """See `Decryption`."""
        side, way = chunk.side, _way(chunk.side)
        self._testify(way, chunk)
        if self.useless:
            return []
        reader = self._readers[way]
        self._now = max(self._now, chunk.delivered or chunk.numbers[-1])
        if self._holding[way] and len(reader.buffer) > MAX_HELD:
            self._give_up(Undecrypted.NO_HELLO if self._session is None else Undecrypted.NO_KEYS)
            return []
        enough = reader.append(chunk)
        if self._seen_grown != self._keyring.secrets.grown:
            self._seen_grown = self._keyring.secrets.grown
            for waiting in SIDES:
                if self._holding[waiting]:
                    self._read_both(waiting)
        if enough and not self._holding[way]:
            self._read_both(side)
        return self._taken()

    def gap(self, gap: Gap) -> Plain:
        """See `Decryption`."""
        way = _way(gap.side)
        self._testify(way, gap)
        if self.useless:
            return []
        self._now = max(self._now, gap.place.number)
        reader, session = self._readers[way], self._session
        reader.gap(gap)
        self._messages[way].reset()
        if session is None or (way and not session.answered):
            self._give_up(Undecrypted.NO_HELLO)
        elif reader.keys is None and session.answered:
            self._wants[way] = True
        return []

    def end(self, end: StreamEnd) -> Plain:
        """See `Decryption`."""
        way = _way(end.side)
        self._testify(way, end)
        reader = self._readers[way]
        if not self.useless and reader.proven and reader.lost_bytes > 0:
            self._plain[way].gap(reader.lost_bytes, reader.reason, end.place)
        return self._taken()

    def outer(self, side: Side, offset: int) -> int:
        """See `Decryption`."""
        return self._maps[_way(side)].outer(offset)

    def outcome(self) -> Undecrypted | None:
        """Why nothing was decrypted, now that the connection is over; None if something was."""
        if self.opened:
            return None
        if self.undecrypted is None:
            if self._readers[0].tried or self._readers[1].tried:
                self.undecrypted = Undecrypted.WRONG_KEYS
            else:
                self.undecrypted = Undecrypted.NO_HELLO if self._session is None else Undecrypted.NO_KEYS
        return self.undecrypted

    def _testify(self, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        witness = self.witness
        if isinstance(record, StreamEnd) and record.kind is EndKind.CAPTURE_ENDED:
            return  # nobody ended it
        if witness is not None and not witness.done:
            witness.take(way, record)

    # ------------------------------------------------------------------ both directions

    def _taken(self) -> Plain:
        client, server = self._plain
        if not server.waiting:
            return client.take()
        return [*client.take(), *server.take()] if client.waiting else server.take()

    def _give_up(self, why: Undecrypted) -> None:
        self.useless = True
        self.undecrypted = why
        self.why = why.value

    def _read_both(self, side: Side) -> None:
        """Read a direction, and the other one if it waited for that; and so on."""
        while self._read(side):
            side = side.other
            if not self._holding[_way(side)]:
                break

    def _read(self, side: Side) -> bool:
        """Read on; whether there was anything."""
        way = _way(side)
        reader, wants = self._readers[way], self._wants
        self._holding[way] = False
        moved = False
        while not self.useless:
            if wants[way] and not self._equip(side, reader):
                self._hold(way)
                break
            record = reader.next()
            if record is None:
                if reader.hopeless:
                    self._give_up(self._why_hopeless())
                elif reader.waits:
                    self._hold(way)
                break
            if record.missing:
                self._tell_missing(way, reader, record)
            if record.sealed and record.kind == APPLICATION_DATA:
                if record.data:
                    self._tell(way, reader, record)
            elif not self._take(side, reader, record):
                reader.unread(record)
                self._hold(way)
                break
            moved = True
        return moved

    def _why_hopeless(self) -> Undecrypted:
        if self.opened:
            return Undecrypted.LOST
        known = self._session is not None and self._session.answered
        return Undecrypted.WRONG_KEYS if known else Undecrypted.NO_HELLO

    def _hold(self, way: int) -> None:
        self._holding[way] = True
        self._readers[way].hold()

    # ------------------------------------------------------------------ plain text

    def _tell(self, way: int, reader: RecordReader, record: Record) -> None:
        keys, plain = reader.keys, self._plain[way]
        plain.add(record, reader.buffer, keys.since if keys is not None else 0)
        self._maps[way].add(plain.offset, record.end)

    def _tell_missing(self, way: int, reader: RecordReader, record: Record) -> None:
        buffer, last = reader.buffer, record.end - 1
        place, order = buffer.ref(last), buffer.order(last)
        if order != place.number:
            place = PacketRef(order, place.ts_ns)
        self._plain[way].gap(record.missing, record.reason, place)
        self._messages[way].reset()

    # ------------------------------------------------------------------ what is not data

    def _take(self, side: Side, reader: RecordReader, record: Record) -> bool:
        """Take a record that is no (sealed) data; False if something else has to be known before."""
        kind = record.kind
        if kind == HANDSHAKE:
            return self._take_handshake(side, reader, record)
        if kind == CHANGE_CIPHER_SPEC:
            return self._change_cipher(side)
        if kind == ALERT:
            self._take_alert(side, record)
        elif kind == APPLICATION_DATA:
            return self._take_early(side)
        return True

    def _take_alert(self, side: Side, record: Record) -> None:
        """A fatal alert before the server said anything else is how a handshake failed."""
        witness, data = self.witness, record.data
        fatal = record.sealed and len(data) == 2 and data[0] == _FATAL
        if fatal and witness is not None and self._plain[1].offset == 0:
            witness.tell_alert(_way(side), data[1])

    def _take_early(self, side: Side) -> bool:
        """What is sealed, and comes before there are keys: data that a client sends at once. They are for nobody if
        the server asks for another ClientHello."""
        session = self._session
        if side is SERVER or session is None:
            self._give_up(Undecrypted.NO_HELLO)
            return True
        return session.retried and not session.asked_again

    def _take_handshake(self, side: Side, reader: RecordReader, record: Record) -> bool:
        messages, session = self._messages[_way(side)], self._session
        answers = side is SERVER and messages.at_boundary and record.data[:1] == _SERVER_HELLO_BEGINS
        if answers and (session is None or session.answered):
            return False
        order = reader.buffer.order(record.end - 1)
        for kind, body in messages.feed(record.data):
            if side is CLIENT:
                self._take_from_client(reader, kind, body, order)
            else:
                self._take_from_server(reader, kind, body, order)
        return True

    def _take_from_client(self, reader: RecordReader, kind: int, body: bytes, order: int) -> None:
        session = self._session
        if kind == CLIENT_HELLO:
            if session is not None and session.retried and not session.asked_again:
                session.asked_again = True
            elif session is None or session.answered:
                self._session = TlsSession(self._keyring, read_client_hello(body), order)
        elif kind in _SWITCHES:
            self._switch(CLIENT, reader, kind)

    def _take_from_server(self, reader: RecordReader, kind: int, body: bytes, order: int) -> None:
        session = self._session
        if session is None:
            if kind:  # a HelloRequest may come first
                self._give_up(Undecrypted.NO_HELLO)
        elif kind == SERVER_HELLO:
            self._answer(session, body, order)
        elif kind == ENCRYPTED_EXTENSIONS:
            session.accept_early(accepts_early(body), order)
        elif kind == SERVER_HELLO_DONE:
            session.is_full = True
        elif kind == NEW_SESSION_TICKET and not session.is_1_3:
            session.gives(ticket_of(body), order)
        elif kind in _SWITCHES:
            self._switch(SERVER, reader, kind)

    def _answer(self, session: TlsSession, body: bytes, order: int) -> None:
        hello = read_server_hello(body)
        if hello.retry:
            session.retried = True
            return
        if session.answered:
            return
        session.answer(hello, order)
        if session.suite is None:
            self.cipher = hello.suite
            self._give_up(Undecrypted.CIPHER)
            return
        self._next = [session, session]
        if session.is_1_3:
            self._wants[0] = self._wants[1] = True
        elif self._readers[0].waits:
            self._wants[0] = True

    # ------------------------------------------------------------------ keys

    def _equip(self, side: Side, reader: RecordReader) -> bool:
        """Give a direction the keys that it needs; False if they are not known yet."""
        way = _way(side)
        session = self._next[way]
        if session is None:
            self._wants[way] = False
            return True
        late = self._now if self._late[way] else 0
        if session.is_1_3:
            done = self._equip_1_3(session, side, reader, late)
        else:
            pair = session.pair(late)
            done = pair is not None
            if pair is not None:
                reader.later = [pair[way]]
        if done:
            self._wants[way] = False
            return True
        return self._lack(session, way)

    def _equip_1_3(self, session: TlsSession, side: Side, reader: RecordReader, late: int) -> bool:
        if reader.keys is not None and not reader.is_lost:  # the handshake is over
            traffic = session.traffic(side, late)
            if traffic is not None:
                reader.use(traffic)
            return traffic is not None
        if not self._keyring.secrets.grows and session.lacks() is not None:
            return False
        chain = session.chain(side, late)
        if chain:
            reader.use(chain[0])
            reader.later = chain[1:]
        return len(chain) > 0

    def _lack(self, session: TlsSession, way: int) -> bool:
        """What to do without keys: wait, or give up. True if there is nothing to wait for."""
        if self._keyring.secrets.grows:
            self._late[way] = True
            return False
        why = session.lacks()
        if why is None and session.is_1_3 and self._readers[way].keys is None:
            return False  # until the server says something of early data
        self._give_up(why or Undecrypted.NO_KEYS)
        return True

    def _change_cipher(self, side: Side) -> bool:
        """A side uses its new keys from the next record on (RFC 5246, section 7.1); in TLS 1.3 it means nothing."""
        way, session = _way(side), self._session
        upcoming = self._next[way]
        if session is None or (upcoming is None and session.answered):
            return True
        if upcoming is None:
            return session.retried
        if upcoming.is_1_3:
            return True
        pair = upcoming.pair(self._now if self._late[way] else 0)
        if pair is None:
            return self._lack(upcoming, way)
        self._readers[way].use(pair[way])
        self._messages[way].reset()
        self._next[way] = None
        return True

    def _switch(self, side: Side, reader: RecordReader, kind: int) -> None:
        """A side said the last that it says with its keys (RFC 8446, sections 4.4.4, 4.5 and 4.6.3)."""
        keys = reader.keys
        if keys is None or not keys.is_1_3:
            return
        if kind == KEY_UPDATE:
            after = keys.successor()
            if after is not None:
                reader.use(after)
        elif kind == FINISHED and keys.application:
            return  # of a client that was asked for its certificate later on
        elif reader.later:
            reader.use(reader.later.pop(0))
        else:
            self._wants[_way(side)] = True


def _way(side: Side) -> int:
    return 1 if side is SERVER else 0
