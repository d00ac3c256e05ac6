"""What the WebSocket frames and the binary messages of a session come to."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class FrameFigures:
    """See the module."""

    __slots__ = ()
