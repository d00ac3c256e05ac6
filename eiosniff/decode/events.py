"""What the connections of a batch yield, and in which order the session layer gets it."""

from typing import TYPE_CHECKING, Final, final

import numpy as np

from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.http1.proxy_protocol import ProxyHeader
from eiosniff.model.http import HttpMessage
from eiosniff.model.tcp import StreamEnd
from eiosniff.model.trouble import Anomaly, Desync, Gap
from eiosniff.model.websocket import WsControl, WsMessage
from eiosniff.model.webtransport import WtClose, WtMessage, WtOpening, WtUnsupported

if TYPE_CHECKING:
    from eiosniff.decode.conversation import Conversation

WtRecord = WtOpening | WtUnsupported | WtMessage | WtClose
Record = HttpMessage | Upgrade | ProxyHeader | WsMessage | WsControl | WtRecord | Anomaly | Desync | Gap | StreamEnd

_TAKEN: Final = Upgrade(None, None)


@final
class Events:
    """The records of a batch, as its connections yielded them one after the other: three lists of one length.

    `orders` holds the place of each in the order of the whole capture: the number of the packet that completed it.
    """

    __slots__ = ("_closing", "conversations", "orders", "records")

    def __init__(self) -> None:
        self.orders: list[int] = []
        self.conversations: list[Conversation] = []
        self.records: list[Record] = []
        self._closing: list[int] = []  # the indices of those that a packet of another connection showed

    def __len__(self) -> int:
        return len(self.orders)

    def add(self, order: int, conversation: "Conversation", record: Record) -> None:
        """Take the next record."""
        if conversation.flow.closing:
            self._closing.append(len(self.orders))
        self.orders.append(order)
        self.conversations.append(conversation)
        self.records.append(record)

    def in_order(self) -> list[int]:
        """Indices of all records, in the order of the capture; those of one packet as they were added, and then what it
        showed of other connections, in the order in which these began."""
        orders = np.array(self.orders, np.int64)
        sorted_by = np.argsort(orders, kind="stable")
        if self._closing:
            begun = np.zeros(len(orders), np.int64)
            for at in self._closing:
                begun[at] = self.conversations[at].flow.first.number
            sorted_by = np.lexsort((begun, orders))
        places: list[int] = sorted_by.tolist()
        return places

    def take(self, at: int) -> Record:
        """The record at an index, for the only time: once it is handled it is freed, while it is still in the cache of
        the processor (a tenth of the time of an analysis, if all are freed at the end)."""
        record = self.records[at]
        self.records[at] = _TAKEN
        return record

    def clear(self) -> None:
        """Forget them all."""
        self.orders.clear()
        self.conversations.clear()
        self.records.clear()
        self._closing.clear()
