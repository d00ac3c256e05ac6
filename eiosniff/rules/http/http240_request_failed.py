"""A request fails in the browser, before any server answers it.

## What it reports
Requests of Engine.IO in a HAR that have no answer, and of which the browser tells why, or at least that they failed: a
name that cannot be resolved, a certificate that it does not trust, TLS that does not come about, an extension or an
administrator who blocks the address, a policy of the browser itself, its proxy, no network at all.

## Why it matters
The server hardly ever sees such a request, so that its log is empty; and the page is only told that something failed
("xhr poll error", "websocket error"), for reasons of security.

## On the wire
Nothing, or a connection that ends before a request. In a HAR the entry has status 0; Chrome and Edge write the name of
the error into `_error` of the response (`net::ERR_CERT_AUTHORITY_INVALID`), for WebSockets into a message of type
`error`. Firefox writes no reason.
Playwright writes the name into `_failureText`, and of an answer that CORS keeps from the page it writes nothing else
(net::ERR_FAILED).

## How to fix
By the error: see the advice of the finding. What Chrome means by a name is in its list of network errors; opening the
URL of the request in a tab of the same browser shows most of them in words.

## When it is silent
For connections that are refused or get no answer (tcp-refused), for requests that the client itself gave up, and for
those that the server cut off, of which the rules on ends of connections tell. For a server that was reached later: an
information then.

## References
- Chromium, net/base/net_error_list.h
- HAR 1.2 specification; devtools-frontend, models/har/Log.ts (`_error`)
- WHATWG Fetch, "network error" (a page is not told more)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.har import FailureKind
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import capital

_ADVICE = {
    FailureKind.NAME: "Check the name in the URL; look it up on this machine (nslookup), and check DNS, VPN and the "
    "hosts file.",
    FailureKind.OFFLINE: "Check the network of this machine; the client comes back by itself when there is one.",
    FailureKind.BLOCKED: "Look which extension or policy it is (try a window without extensions), and let the URL "
    "pass.",
    FailureKind.POLICY: "The console of the page says which policy it was: Content-Security-Policy (connect-src), "
    "mixed content (an https page may only use https and wss), access to a local network, or a port that browsers "
    "block.",
    FailureKind.PROXY: "Check the proxy settings of the browser or the system, and that the proxy lets the host pass.",
    FailureKind.CERTIFICATE: "Give the server a certificate of an authority that browsers trust, for this very name "
    "and with its intermediate certificates; or, in tests, open its https URL in a tab and accept it.",
    FailureKind.TLS: "Check with openssl s_client -connect HOST:PORT which versions and ciphers the server offers, "
    "and that it speaks TLS on that port at all.",
    FailureKind.OTHER: "Open the URL of the request in a tab of the same browser, and look at the console of the "
    "page: a failed CORS preflight, mixed content, and what is blocked are told of there.",
}


@rule(
    code="HTTP240",
    name="request-failed",
    subject=CaptureSummary,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Requests fail in the browser: {reason} ({error})",
    message="{client} asks {server}, and the request fails{when}: {error}.{later}",
    why="{why}",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff"),
    hence="requests fail in the browser: {error}",
)
def request_failed(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for failed in summary.failed_requests:
        told = failed.error.startswith("net::")
        yield Hit(
            *(evidence(place, Side.CLIENT, f"a request that fails: {failed.error}") for place in failed.tally),
            certainty=Certainty.CERTAIN if told else Certainty.LIKELY,
            doubt="" if told else "the HAR has no reason for it",
            severity=Severity.INFO if failed.recovered else None,
            occurrences=failed.tally.count,
            period_ns=failed.tally.period_ns,
            kind=failed.error,
            client=failed.client,
            server=failed.server,
            reason=failed.kind.value,
            when="" if failed.kind is FailureKind.OTHER else " before any answer",
            why=_why(failed.kind),
            error=failed.error,
            advice=_ADVICE[failed.kind],
            later=" Later the server is reached." if failed.recovered else "",
        )


def _why(kind: FailureKind) -> str:
    if kind is FailureKind.OTHER:
        return (
            "The browser does not tell its pages why. The server may have answered all the same: where CORS keeps an "
            "answer from the page, some HAR have nothing of it."
        )
    return f"{capital(kind.value)}, so that nothing of it reaches the server, and its log is empty."
