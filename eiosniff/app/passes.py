"""A capture is read once, or twice: a second time when tshark decrypts what there are keys for, but no cipher here.

See docs/decisions/0015-tshark-for-the-rest.md.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from eiosniff.app.reading import keys_of
from eiosniff.app.setting import Options
from eiosniff.capture.series import Series
from eiosniff.decode.outside.pieces import Outside
from eiosniff.errors import EiosniffError
from eiosniff.model.summary import CaptureProblem, CaptureSummary, LeftUnread
from eiosniff.model.trouble import AnomalyKind

if TYPE_CHECKING:
    from eiosniff.capture.leftover import Leftover
    from eiosniff.capture.secrets import KeySource


class Passes:
    """The passes over one capture: `source` and `outside` are those of the pass at hand, to be read and to be given to
    its stack (None: what only tshark decrypts is not asked for). A context manager."""

    def __init__(self, source: Series, options: Options) -> None:
        """Raises `EiosniffError` for a key log that cannot be used."""
        self.source = source
        self.outside: Outside | None = Outside()
        self.keys: KeySource = keys_of(options)
        self._options = options
        self._leftover: Leftover | None = None  # once there is anything for tshark
        self._second: Series | None = None
        self._said: list[str] = []
        self._unread: LeftUnread | None = None

    def has_secrets(self) -> bool:
        """Whether there are keys for the capture, from where it is known at its beginning."""
        again = self.source.again
        if self.keys.secrets or again is None:
            return bool(self.keys.secrets)
        with Series(again, 1) as beginning:
            next(iter(beginning.batches()), None)
            return bool(beginning.secrets)

    def collect(self) -> None:
        """After each batch: keep what is left to tshark."""
        packets = [] if self.outside is None else self.outside.take()
        if not packets:
            return
        if self._leftover is None:
            from eiosniff.capture.leftover import Leftover

            self._leftover = Leftover()
        self._leftover.write(packets)

    def again(self) -> bool:
        """The first pass is over. Whether a second one is to be made: then tshark decrypts while that is read."""
        if self._leftover is None or not self._leftover.connections:
            return False
        from eiosniff.capture.leftover import explain

        again = self.source.again
        try:
            if again is None:
                raise EiosniffError("what is read here cannot be read twice", "write it to a file first")
            pieces = iter(self._leftover.decrypt(self.keys.secrets))
        except EiosniffError as error:
            self._said.append(explain(self._leftover.connections, error.problem, error.remedy))
            self._unread = self._leftover.unread(error.problem, error.remedy)
            return False
        self.outside = Outside(self.outside, pieces)
        self.source = self._second = Series(again, self._options.batch_size)
        return True

    def note_problems(self, summary: CaptureSummary) -> None:
        """The last pass is over: the summary says what tshark did not decrypt, and why."""
        lines = list(self._said)
        if self._leftover is not None and self._second is not None and self.outside is not None:
            read = list(self.outside.read)
            lines += self._leftover.problems(read)
            self._unread = self._leftover.undone(read)
        summary.left_unread = self._unread
        for text in lines:
            summary.problems.append(CaptureProblem(AnomalyKind.NOT_DECRYPTED.value, text, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leftover is not None:
            self._leftover.close()
        if self._second is not None:
            self._second.close()
