"""Where the secrets of TLS connections come from: the key log, and connections that others go on from.

Up to TLS 1.2 a resumed connection has the master secret of an earlier one, which not every program writes down again
(RFC 5246, section 7.3; RFC 5077). In TLS 1.3 it has secrets of its own.
"""

from hashlib import sha256
from typing import Final, final

from eiosniff.model.secrets import CLIENT_RANDOM, Secrets

# Master secrets by what a client resumes with: more than this many clients and servers do not have at a time.
_MOST_RESUMABLE: Final = 10_000


@final
class Keyring:
    """See the module; one for all connections of a capture."""

    __slots__ = ("_resumable", "secrets")

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        # By the session id or the ticket, with the captured packet in which the server gave it away.
        self._resumable: dict[bytes, tuple[bytes, int]] = {}

    def master(self, client_random: bytes) -> bytes | None:
        """The master secret of a connection up to TLS 1.2, if the key log has it."""
        return self.secrets.get(CLIENT_RANDOM, client_random)

    def remember(self, handle: bytes, master: bytes, order: int) -> None:
        """A server gave a client a session id or ticket to go on from a connection, with a captured packet."""
        if not handle:
            return
        resumable = self._resumable
        key = sha256(handle).digest()
        known = resumable.get(key)
        if known is not None and known[1] <= order:
            return
        resumable[key] = master, order
        if len(resumable) > _MOST_RESUMABLE:
            del resumable[next(iter(resumable))]

    def resumed(self, handle: bytes, order: int) -> bytes | None:
        """The master secret of the connection that a client goes on from, with a captured packet; None if it is not
        known."""
        known = self._resumable.get(sha256(handle).digest()) if handle and self._resumable else None
        return known[0] if known is not None and known[1] < order else None

    def may_open(self, client_random: bytes, session: bytes, ticket: bytes, order: int) -> bool:
        """Whether there is any secret of a connection, by its ClientHello."""
        if self.secrets.knows(client_random):
            return True
        return self.resumed(ticket, order) is not None or self.resumed(session, order) is not None
