"""What a session costs over HTTP: connections, headers, round trips."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class Costs:
    """See the module."""

    __slots__ = ()
