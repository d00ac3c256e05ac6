"""What the Socket.IO events and acknowledgements of a session come to."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class MessageFigures:
    """See the module."""

    __slots__ = ()
