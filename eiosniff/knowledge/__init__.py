"""Facts about real clients and servers, as data with sources: which library speaks, and what to change in it.

`clients.toml` and `servers.toml` hold the fingerprints: conditions on *observations*, which are texts taken from a
ledger (`observe.py` lists them). `fixes.toml` holds what to do about a finding, by rule and library.
`boxes.toml` tells the proxies and load balancers between them (`boxes.py`, which rules ask), `advisories.toml` which
servers have known vulnerabilities, `secrets.toml` what is a secret by its name (for rules, and for what is redacted).
"""

from eiosniff.knowledge import advisories, boxes, library, timeouts
from eiosniff.knowledge.library import advice, fold, identify, identify_client, identify_server, load, match

__all__ = ["advice", "fold", "identify", "identify_client", "identify_server", "load", "load_all", "match"]


def load_all() -> None:
    """Read all data now, and not when they are first asked for: copies of this process need not read them again."""
    library.load()
    library.load_advice()
    boxes.load()
    timeouts.load()
    advisories.load()
