"""Decoders that raised, which is a mistake of ours: the connection is given up, and the report says so (INT002)."""

from typing import final

from eiosniff.decode.conversation import Conversation
from eiosniff.model.outside import quic_connection


@final
class Crashes:
    """Those of a capture, the same ones counted."""

    __slots__ = ("_known", "_now")

    def __init__(self) -> None:
        self._now: list[tuple[str, Conversation]] = []  # in the batch at hand
        self._known: dict[str, tuple[int, int]] = {}  # the first of its connections, and how many there were

    def note(self, conversation: Conversation, bug: Exception) -> None:
        """A decoder raised."""
        place = bug.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else "?"
        self._now.append((f"{type(bug).__name__} in {where}", conversation))

    def settle(self) -> None:
        """A batch is over: its connections have their numbers."""
        for what, conversation in self._now:
            stream = conversation.flow.stream
            first, count = self._known.get(what, (stream, 0))
            self._known[what] = min(first, stream), count + 1
        self._now.clear()

    def texts(self) -> list[str]:
        """A line for each."""
        return [
            f"{what}, {_name(stream)}{f' and {count - 1} more' if count > 1 else ''}"
            for what, (stream, count) in sorted(self._known.items())
        ]


def _name(stream: int) -> str:
    quic = quic_connection(stream)
    return f"TCP stream {stream}" if quic is None else f"QUIC connection {quic}"
