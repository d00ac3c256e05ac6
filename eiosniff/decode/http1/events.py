"""What reading HTTP/1.x yields: messages, what is wrong with them, and the change to another protocol."""

from typing import TypeAlias, final

from mypy_extensions import mypyc_attr

from eiosniff.decode.http1.proxy_protocol import ProxyHeader
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse
from eiosniff.model.trouble import Anomaly, Desync


@final
@mypyc_attr(acyclic=True)
class Upgrade:
    """From here on both directions speak what the request asked for; `HttpConnection.take` has the bytes.

    `request` is None when it was not captured. `response` is a 101, or a 2xx to CONNECT, or None when the direction of
    the server was not captured but the client has changed over.
    """

    __slots__ = ("request", "response")

    def __init__(self, request: HttpRequest | None, response: HttpResponse | None) -> None:
        self.request = request
        self.response = response

    @property
    def is_http2(self) -> bool:
        """Whether it is HTTP/2 in clear that follows (RFC 7540, section 3.2)."""
        chosen = self.response.header(b"upgrade") if self.response is not None else None
        return chosen is not None and chosen.lower() == b"h2c"


HttpEvent: TypeAlias = HttpMessage | Anomaly | Desync | Upgrade | ProxyHeader
# In order; each part of the reader appends what it finds.
Events: TypeAlias = list[HttpEvent]
