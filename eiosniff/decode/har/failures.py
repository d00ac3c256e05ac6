"""Why a request has no answer, by what browsers and proxies write of it into a HAR."""

import re
from typing import Final, final

from eiosniff.model.har import FailureKind, HarEntry
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.summary import ConnectFailure
from eiosniff.model.tcp import EndKind

# The names of Chromium's net/base/net_error_list.h, without `net::ERR_`.
_NET: Final = "net::ERR_"
_KINDS: Final = {
    "NAME_NOT_RESOLVED": FailureKind.NAME,
    "NAME_RESOLUTION_FAILED": FailureKind.NAME,
    "DNS_TIMED_OUT": FailureKind.NAME,
    "DNS_SERVER_FAILED": FailureKind.NAME,
    "DNS_MALFORMED_RESPONSE": FailureKind.NAME,
    "INTERNET_DISCONNECTED": FailureKind.OFFLINE,
    "NETWORK_CHANGED": FailureKind.OFFLINE,
    "NETWORK_IO_SUSPENDED": FailureKind.OFFLINE,
    "BLOCKED_BY_CLIENT": FailureKind.BLOCKED,
    "BLOCKED_BY_ADMINISTRATOR": FailureKind.BLOCKED,
    "BLOCKED_BY_CSP": FailureKind.POLICY,
    "BLOCKED_BY_RESPONSE": FailureKind.POLICY,
    "BLOCKED_BY_PRIVATE_NETWORK_ACCESS_CHECKS": FailureKind.POLICY,
    "BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS": FailureKind.POLICY,
    "UNSAFE_PORT": FailureKind.POLICY,
    "DISALLOWED_URL_SCHEME": FailureKind.POLICY,
    "PROXY_CONNECTION_FAILED": FailureKind.PROXY,
    "TUNNEL_CONNECTION_FAILED": FailureKind.PROXY,
    "PROXY_AUTH_UNSUPPORTED": FailureKind.PROXY,
    "PROXY_CERTIFICATE_INVALID": FailureKind.PROXY,
    "MANDATORY_PROXY_CONFIGURATION_FAILED": FailureKind.PROXY,
    "SOCKS_CONNECTION_FAILED": FailureKind.PROXY,
    "SSL_PROTOCOL_ERROR": FailureKind.TLS,
    "SSL_VERSION_OR_CIPHER_MISMATCH": FailureKind.TLS,
    "BAD_SSL_CLIENT_AUTH_CERT": FailureKind.TLS,
    "SSL_CLIENT_AUTH_CERT_NEEDED": FailureKind.TLS,
    "SSL_KEY_USAGE_INCOMPATIBLE": FailureKind.TLS,
}
_CERTIFICATE: Final = "CERT_"
_REFUSED: Final = ("CONNECTION_REFUSED",)
_NO_ANSWER: Final = ("CONNECTION_TIMED_OUT", "ADDRESS_UNREACHABLE", "CONNECTION_FAILED", "TIMED_OUT")
_RESET: Final = ("CONNECTION_RESET", "CONNECTION_ABORTED")
_HUNG_UP: Final = (
    "EMPTY_RESPONSE", "CONNECTION_CLOSED", "SOCKET_NOT_CONNECTED", "INCOMPLETE_CHUNKED_ENCODING",
    "CONTENT_LENGTH_MISMATCH", "HTTP2_PROTOCOL_ERROR", "HTTP2_SERVER_REFUSED_STREAM", "HTTP2_PING_FAILED",
    "QUIC_PROTOCOL_ERROR", "INVALID_HTTP_RESPONSE", "INVALID_CHUNKED_ENCODING", "HTTP2_RST_STREAM",
)  # fmt: skip
_ABORTED: Final = ("ABORTED",)
# What mitmproxy (11) and WebKit say in words.
_REFUSED_WORDS: Final = re.compile(r"connect call failed|connection refused|could not connect to the server", re.I)
_LEFT_WORDS: Final = re.compile(r"client disconnected|cancelled", re.I)
_HUNG_UP_WORDS: Final = re.compile(r"server (?:disconnected|closed)|connection was lost|peer closed|broken pipe", re.I)
_UNSAID: Final = "the browser does not say why"


@final
class Failure:
    """Why there is no answer. `connect`: there was no connection. `ended_by` and `how` tell who ended it otherwise,
    None where the request never reached the server. `told` says that the browser's own words, `error`, are worth
    telling: then they say what nothing else does."""

    __slots__ = ("connect", "ended_by", "error", "how", "kind")

    def __init__(
        self,
        error: str,
        kind: FailureKind = FailureKind.OTHER,
        connect: ConnectFailure | None = None,
        ended_by: Side | None = None,
        how: EndKind = EndKind.FIN,
    ) -> None:
        self.error = error
        self.kind = kind
        self.connect = connect
        self.ended_by = ended_by
        self.how = how

    @property
    def told(self) -> bool:
        """See the class."""
        return self.connect is None and self.ended_by is None


def failure_of(entry: HarEntry) -> Failure | None:
    """Why an entry has no answer, None for one that has, or that waits for it. What CORS keeps from the page has one;
    so has a WebSocket that the server refuses."""
    if entry.answer is not None or entry.pending:
        return None
    error = entry.error
    if not error:
        return Failure(_UNSAID)
    if not error.startswith(_NET):
        return _in_words(error)
    name = error[len(_NET) :]
    if name in _REFUSED:
        return Failure(error, connect=ConnectFailure.REFUSED)
    if name in _NO_ANSWER:
        return Failure(error, connect=ConnectFailure.UNANSWERED)
    if name in _ABORTED:
        return Failure(error, ended_by=CLIENT)
    if name in _RESET:
        return Failure(error, ended_by=SERVER, how=EndKind.RST)
    if name in _HUNG_UP:
        return Failure(error, ended_by=SERVER)
    kind = FailureKind.CERTIFICATE if name.startswith(_CERTIFICATE) else _KINDS.get(name, FailureKind.OTHER)
    return Failure(error, kind)


def _in_words(error: str) -> Failure:
    if _REFUSED_WORDS.search(error) is not None:
        return Failure(error, connect=ConnectFailure.REFUSED)
    if _LEFT_WORDS.search(error) is not None:
        return Failure(error, ended_by=CLIENT)
    if _HUNG_UP_WORDS.search(error) is not None:
        return Failure(error, ended_by=SERVER)
    return Failure(error)
