"""Who can read a session on its way, and what is secret in it, by name: shared by the rules on secrets."""

from eiosniff.knowledge.secrets import holds_secret, is_secret, is_secret_cookie
from eiosniff.model.attempt import RequestFacts
from eiosniff.model.session import Session
from eiosniff.rules.addresses import is_private

_PROTOCOL = frozenset({"EIO", "transport", "sid", "t", "b64", "j"})  # parameters of Engine.IO itself
_NAMED = 5
_COOKIE = "cookie"  # a header of which the names of the cookies tell


def public_peer(session: Session) -> str | None:
    """The address of a side that is not a private one, so that its packets cross networks of others; None if both are
    private, or the machine's own."""
    for address in (session.client_endpoint.address, session.server.endpoint.address):
        if not is_private(address):
            return address
    return None


def secret_parameters(request: RequestFacts) -> list[str]:
    """The names of the parameters in the URL of a request that hold secrets, each once."""
    others = [parameter for parameter in request.query if parameter[0] not in _PROTOCOL]
    return list(dict.fromkeys(name for name, value in others if holds_secret(name, value))) if others else []


def secret_headers(request: RequestFacts) -> list[str]:
    """The headers of a request that hold secrets: `Authorization`, `Cookie (session)`."""
    headers = [name for name in request.header_names if name.lower() != _COOKIE and is_secret(name)]
    cookies = [name for name in request.cookies if is_secret_cookie(name)]
    if cookies:
        headers.append(f"Cookie ({', '.join(cookies[:3])})")
    return list(dict.fromkeys(headers))


def listed(names: list[str]) -> str:
    """Names in a sentence: `"token"`, `"token" and "user"`."""
    quoted = [f'"{name}"' for name in names[:_NAMED]]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else ""
