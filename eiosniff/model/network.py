"""What TCP shows of the network under a session."""

from typing import final

from mypy_extensions import mypyc_attr


@final
@mypyc_attr(acyclic=True)
class NetworkFacts:
    """See the module."""

    __slots__ = ()
