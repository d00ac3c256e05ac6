"""Which proxy or load balancer wrote an answer, or passed a request on: by its headers, or by the page that it sends.

What these say of themselves: nginx, Apache httpd, Caddy and Microsoft IIS in `Server` (documentation of each, option
`server_tokens` and the like), AWS load balancers in `Server: awselb/2.0`, Cloudflare in `cf-ray`, Heroku and others in
`Via` (RFC 9110, section 7.6.3). HAProxy says nothing, but its pages have a form of their own (`http-errors` of its
configuration manual); recorded, as the order of nginx's headers is.
"""

import itertools
import re

from eiosniff.model.attempt import AnswerFacts, RequestFacts

UNNAMED = "a proxy or load balancer"

_BY_SERVER = (
    (re.compile(r"^(nginx|openresty)", re.I), "nginx"),
    (re.compile(r"^Apache\b", re.I), "Apache httpd"),
    (re.compile(r"^cloudflare", re.I), "Cloudflare"),
    (re.compile(r"^awselb", re.I), "an AWS load balancer"),
    (re.compile(r"^Microsoft-(IIS|HTTPAPI|Azure)", re.I), "Microsoft IIS"),
    (re.compile(r"^Caddy", re.I), "Caddy"),
    (re.compile(r"^(istio-)?envoy", re.I), "Envoy"),
    (re.compile(r"^squid", re.I), "Squid"),
    (re.compile(r"^heroku|^vegur", re.I), "the router of Heroku"),
)
_BY_VIA = (
    (re.compile(r"varnish", re.I), "Varnish"),
    (re.compile(r"squid", re.I), "Squid"),
    (re.compile(r"vegur|heroku", re.I), "the router of Heroku"),
    (re.compile(r"google", re.I), "a Google load balancer"),
    (re.compile(r"caddy", re.I), "Caddy"),
    (re.compile(r"cloudfront", re.I), "CloudFront"),
)
_BY_BODY = (
    (re.compile(rb"<center>(nginx|openresty)", re.I), "nginx"),
    (re.compile(rb"^<html><body><h1>\d{3} [A-Z][\w -]+</h1>\n", re.I), "HAProxy"),
)
# What a proxy adds to requests that it passes on.
FORWARDED = frozenset({"via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "cf-ray"})


def box_of(answer: AnswerFacts) -> str:
    """The proxy that an answer names, or `UNNAMED`; programs that are servers themselves are none."""
    if any(name.lower() == "cf-ray" for name in answer.header_names):
        return "Cloudflare"
    for text, known in ((answer.server, _BY_SERVER), (answer.via, _BY_VIA)):
        for pattern, name in known:
            if text and pattern.search(text):
                return name
    return next((name for pattern, name in _BY_BODY if pattern.search(answer.body)), UNNAMED)


def forwarder_of(request: RequestFacts) -> str:
    """The proxy that passed a request for a WebSocket on, as far as it tells, or `UNNAMED`."""
    names = [name.lower() for name in request.header_names]
    if "cf-ray" in names:
        return "Cloudflare"
    # nginx puts these two together and in front of those of the client, and says "close" unless told otherwise.
    if request.connection == "close" and ("host", "connection") in itertools.pairwise(names):
        return "nginx"
    return UNNAMED


def is_forwarded(request: RequestFacts) -> bool:
    """Whether a proxy has had a request for a WebSocket in its hands, by what it added or by the version of HTTP."""
    names = {name.lower() for name in request.header_names}
    return request.version == "1.0" or forwarder_of(request) != UNNAMED or not FORWARDED.isdisjoint(names)
