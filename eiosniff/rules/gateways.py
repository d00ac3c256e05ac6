"""Errors of proxies and load balancers that answer in the place of a server: what each status tells, in words."""

from eiosniff.model.attempt import AnswerFacts, Attempt, RefusedRequest
from eiosniff.model.engineio import ServerError
from eiosniff.model.finding import Certainty
from eiosniff.rules.boxes import UNNAMED, box_of
from eiosniff.rules.phrases import NS_PER_S

# Why a proxy has no answer of the server.
AWAY, NONE, LATE, TLS, OTHER = "away", "none", "late", "tls", "other"
REASONS = {502: AWAY, 503: NONE, 504: LATE, 520: OTHER, 521: AWAY, 522: LATE, 523: AWAY, 524: LATE, 525: TLS,
            526: TLS, 527: OTHER, 530: OTHER}  # fmt: skip
_AT_ONCE_NS = NS_PER_S // 2
_TIMED_NS = 10 * NS_PER_S  # a 503 after so long is one for a timeout
_UNAVAILABLE = 503
_OF_FRAMEWORKS = ("x-powered-by", "x-runtime")  # Express, PHP; Rails
# What go-socket.io writes itself.
_OF_APPLICATIONS = ("request checker err", "transport accept err")

WHAT = {
    AWAY: "it cannot get through to it",
    NONE: "it knows of none that is alive",
    LATE: "it had no answer from it within {waited}",
    TLS: "the two do not agree on TLS",
    OTHER: "it got no proper answer from it",
}
WHY = {
    AWAY: "Nothing listens where the proxy looks for the server, or the server ended the connection: it is not "
    "running, or crashed, or has another port.",
    NONE: "All servers behind it refused the connection, or failed their health checks.",
    LATE: "The server took the request and did not answer in time: its event loop is blocked, something that the "
    "handshake waits for never comes, or the proxy's timeout is shorter than a poll.",
    TLS: "The certificate of the server, or its protocol versions, are not what the proxy accepts.",
    OTHER: "The server ended the connection, or answered something that the proxy does not understand.",
}
ADVICE = {
    AWAY: "See that the server runs, and listens where the proxy looks for it: on the host of the proxy, "
    "curl 'http://<server>:<port>/socket.io/?EIO=4&transport=polling'. The log of the proxy has the address.",
    NONE: "See that the server runs and passes the health check of the proxy: ask it by curl on the proxy's host.",
    LATE: "See why the server does not answer (its log, its event loop). A poll waits for up to pingInterval (25 s): "
    "the timeout of the proxy has to be longer.",
    TLS: "Mend the certificate of the server, or the proxy's setting for TLS to it.",
    OTHER: "The logs of the server and of the proxy, of this moment, tell more.",
}


def is_gateways(refused: Attempt | RefusedRequest) -> bool:
    """Whether an answer is of something between client and server."""
    if refused.status not in REASONS:
        return False
    error: ServerError | None = refused.error
    return error is None or (error.style == "text" and not error.message.startswith(_OF_APPLICATIONS))


def doubts(answered: AnswerFacts) -> tuple[Certainty, str]:
    """How certain it is that a proxy wrote an answer, and not the application (that is away for maintenance, or busy).

    What frameworks answer 502 or 504 is of the proxies that are written with them.
    """
    if box_of(answered) != UNNAMED:
        return Certainty.CERTAIN, ""
    if answered.status == _UNAVAILABLE and any(name.lower() in _OF_FRAMEWORKS for name in answered.header_names):
        return Certainty.POSSIBLE, "the answer has a header of a framework, so that the application may have written it"
    return Certainty.LIKELY, "the answer does not say whose it is: the application may have written it"


def reason_of(status: int, waited_ns: int, box: str) -> str:
    """Why a proxy has no answer of the server, by its status, and by the time that it took to say so."""
    # Heroku calls a timeout 503, Apache httpd 502.
    if status == 504 and waited_ns < _AT_ONCE_NS:  # http-proxy-middleware says so of a server that is not there
        return AWAY
    late_ns = {503: _TIMED_NS, 502: NS_PER_S if box == "Apache httpd" else None}.get(status)
    return LATE if late_ns is not None and waited_ns >= late_ns else REASONS[status]
