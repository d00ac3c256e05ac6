"""What is a secret, by its name: the data of `secrets.toml`."""

import re
from functools import cache, lru_cache
from typing import Final

from eiosniff.knowledge.library import read

_MAX_NAME: Final = 200  # a peer may use a megabyte as a key; what makes a name a secret stands at its beginning
_NO_PUNCTUATION: Final = str.maketrans("", "", "-_.[]")
_SESSION_COOKIE: Final = "sess"  # frameworks name their cookie after their product: laravel_session, ASPSESSIONIDXYZ
# Values that scripts write where they have none.
_NOTHING: Final = frozenset({"", "undefined", "null", "none", "true", "false", "0", "1"})
_JSON_WEB_TOKEN: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]*(\.|\Z)")  # RFC 7519, section 3: '{"' in base 64


def is_secret(name: str) -> bool:
    """Whether what is called so is one, in JSON, a query, a cookie or a header."""
    return _is_secret(name[:_MAX_NAME])


def is_secret_parameter(name: str) -> bool:
    """Whether a query parameter that is called so holds one."""
    return is_secret(name) or plain(name[:_MAX_NAME]) in _names("parameters")


def is_secret_cookie(name: str) -> bool:
    """Whether a cookie that is called so opens somebody's session."""
    return is_secret(name) or _SESSION_COOKIE in name[:_MAX_NAME].lower()


def is_secret_event(name: str) -> bool:
    """Whether the arguments of an event that is called so are secrets."""
    return is_secret(name) or plain(name[:_MAX_NAME]) in _names("events")


def holds_secret(name: str, value: str) -> bool:
    """Whether a query parameter holds one: by its name, if there is a value at all, or by the looks of the value."""
    if value.lower() in _NOTHING:
        return False
    return is_secret_parameter(name) or _JSON_WEB_TOKEN.match(value) is not None


def plain(name: str) -> str:
    """A name as the lists have it."""
    return name.lower().translate(_NO_PUNCTUATION)


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    bare = plain(name)
    return bare in _names("names") or any(part in bare for part in _names("parts"))


@cache
def _names(kind: str) -> frozenset[str]:
    return frozenset(read("secrets.toml")[kind])
