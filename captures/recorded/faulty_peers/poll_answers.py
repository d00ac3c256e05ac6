# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers to polls that a proxy keeps for the next one, or holds back."""

from __future__ import annotations

from lab import RelayPlan

from faulty_peers import boxes
from faulty_peers.peers import CLIENT_4, PYTHON_5, SERVER_4, Plan
from faulty_peers.plans import POLLING_ONLY, URL
from faulty_peers.stage import Recording, Rule
from faulty_peers.wire import ASKS_POLLING, answers, asks

CACHED = Rule("poll-cached", "HTTP075")
BUFFERED = Rule("poll-buffered", "PROXY076")

_CACHE = "proxy_cache_path cache keys_zone=one:1m; upstream socketio { server 127.0.0.1:3001; }"


def _caches(*lines: str) -> boxes.Start:
    """Nginx with a cache for ten seconds."""
    says = " ".join(["proxy_cache one; proxy_cache_valid 200 10s;", *lines])
    return boxes.nginx_with(f"location / {{ {says} proxy_pass http://socketio; }}", http=_CACHE)


_BY_PATH = "proxy_cache_key $uri; add_header X-Cache-Status $upstream_cache_status;"
_APACHE = """\
ProxyPass / http://127.0.0.1:3001/
CacheEnable disk /
CacheRoot .
CacheIgnoreQueryString On
CacheIgnoreNoLastMod On
CacheDefaultExpire 10
CacheHeader On
CacheQuickHandler Off
"""
# Far away, or it would poll hundreds of times.
_FAR = RelayPlan(delay_ms=100)
_VISITS: Plan = {"url": URL, "options": POLLING_ONLY, "lifeMs": 3000}

_CACHED = [
    Recording(
        CACHED,
        "nginx-by-path",
        PYTHON_5,
        CLIENT_4,
        "nginx keeps answers by their path alone: each poll gets the handshake again, which the server never sees.",
        [ASKS_POLLING, answers(200, "^0{"), asks("sid="), answers(200, "^0{")],
        visit=_VISITS,
        relay=_FAR,
        play=boxes.behind(_caches(_BY_PATH)),
    ),
    Recording(
        CACHED,
        "nginx-no-timestamp",
        PYTHON_5,
        CLIENT_4,
        "nginx keeps answers by their whole address, and the client has timestampRequests: false, so that all polls"
        " have the same: each gets the answer of the first.",
        [ASKS_POLLING, answers(200, "^0{"), asks("sid="), answers(200, "^40{"), asks("sid="), answers(200, "^40{")],
        visit={**_VISITS, "options": {**POLLING_ONLY, "timestampRequests": False}},
        relay=_FAR,
        play=boxes.behind(_caches()),
    ),
    Recording(
        CACHED,
        "apache-age",
        PYTHON_5,
        CLIENT_4,
        "Apache httpd with mod_cache, which keeps answers by their path, and says so by Age and X-Cache.",
        [
            ASKS_POLLING,
            answers(200, "^0{"),
            asks("sid="),
            f'{answers(200, "^0{")} && http.response.line contains "HIT"',
        ],
        visit=_VISITS,
        relay=_FAR,
        play=boxes.behind(boxes.apache(_APACHE, "cache", "cache_disk")),
    ),
    Recording(
        CACHED,
        "no-store",
        SERVER_4,
        CLIENT_4,
        "The nginx that keeps answers by their path, before a server of 4.8, which forbids that (no-store).",
        [ASKS_POLLING, answers(200, "^0{"), answers(200, "^40{")],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 300},
        play=boxes.behind(_caches(_BY_PATH)),
    ),
]

_SLOW = boxes.nginx("limit_rate 100;")
_TALKS_SLOWLY: Plan = {"url": URL, "options": {**POLLING_ONLY, "reconnection": False}, "lifeMs": 6000}

_BUFFERED = [
    Recording(
        BUFFERED,
        "hand-proxy-both-hops",
        SERVER_4,
        CLIENT_4,
        "A proxy written by hand holds the answer to each poll back for 2 s, as virus scanners do; both hops.",
        [asks("sid="), answers(200, "^40{")],
        visit=_TALKS_SLOWLY,
        play=boxes.behind(boxes.by_hand(slowPollsMs=2000), device="any"),
    ),
    Recording(
        BUFFERED,
        "nginx-limit-rate-both-hops",
        SERVER_4,
        CLIENT_4,
        "nginx with limit_rate 100: each answer takes some seconds for its few hundred bytes; both hops.",
        [asks("sid="), answers(200, "^40{")],
        visit=_TALKS_SLOWLY,
        play=boxes.behind(_SLOW, device="any"),
    ),
    Recording(
        BUFFERED,
        "nginx-both-hops",
        SERVER_4,
        CLIENT_4,
        "The same nginx without a limit; both hops.",
        [asks("sid="), answers(200, "^40{")],
        near_miss=True,
        visit={"url": URL, "options": POLLING_ONLY, "lifeMs": 300},
        play=boxes.behind(boxes.nginx(), device="any"),
    ),
]

RECORDINGS = [*_CACHED, *_BUFFERED]
