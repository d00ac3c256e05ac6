# SPDX-License-Identifier: GPL-2.0-or-later
"""A polling client written by hand over `requests`, whose read time-out is shorter than a poll may take."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import requests  # type: ignore[import-untyped]

plan: dict[str, Any] = json.loads(sys.argv[1])
URL = f"http://{plan['host']}:3000/socket.io/"


def log(*words: object) -> None:
    print("LOG", *words, flush=True)


def opened(http: requests.Session) -> dict[str, str]:
    answer = http.get(URL, params={"EIO": "4", "transport": "polling"}, timeout=plan["timeout"])
    query = {"EIO": "4", "transport": "polling", "sid": json.loads(answer.text[1:])["sid"]}
    http.post(URL, params=query, data="40", timeout=plan["timeout"])
    return query


def main() -> None:
    http = requests.Session()
    query = opened(http)
    ends = time.monotonic() + plan["lifeS"]
    while time.monotonic() < ends:
        try:
            answer = http.get(URL, params=query, timeout=plan["timeout"])
        except requests.Timeout as error:
            log("poll:", type(error).__name__)
            continue
        log("poll:", answer.status_code, answer.text.replace(query["sid"], "SID")[:60])
        if answer.status_code != 200:
            query = opened(http)
        elif "2" in answer.text.split("\x1e"):
            http.post(URL, params=query, data="3", timeout=plan["timeout"])


main()
