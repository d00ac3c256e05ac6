"""What the payloads of polling and the sizes of messages show, of one session."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class PayloadFacts:
    """See the module."""

    __slots__ = ()
