"""What the sessions of one server do together."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class Fleet:
    """See the module."""

    __slots__ = ()
