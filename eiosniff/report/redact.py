"""Secrets out of what is shown: people paste reports into public issues.

What counts as one is told by its name (a key of JSON, of a query, of a cookie, a header) or by its looks (a JSON web
token, credentials in a URL), and a CONNECT of the client is authentication data as a whole. In doubt it goes: a value
too many that is hidden costs a look with `--no-redact`, one too few an account. Session ids (`sid`, and `io`, the
cookie that carries it) stay: people search for them, and they die with the session.
"""

import json
import re
from typing import Final
from urllib.parse import unquote

from eiosniff.knowledge.secrets import is_secret, is_secret_event, is_secret_parameter, plain
from eiosniff.report.sanitise import printable

REDACTED: Final = "[redacted]"

# What a CONNECT may say besides authentication data: the offset of connection state recovery.
_NO_AUTHENTICATION = frozenset({"sid", "offset"})
_JSON_WORDS = frozenset({"true", "false", "null"})  # no secrets, and they tell something

# Most texts hold none of these, and then nothing below can match.
_SUSPICIOUS = re.compile(r"[=:@{[]|eyJ|bearer", re.IGNORECASE)

# The expressions run over data of any size that a stranger chose: each can only begin where a word begins, and what
# repeats is bounded or possessive, so that none takes more than linear time.
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+(?:(?:\.[\w-]*+){1,4}|(?=[^\w-]{0,8}\Z))")  # the latter: cut before a dot
_BEARER = re.compile(r"\b(bearer\s++)(?=[^\s\"']*\d)[\w.~+/=-]{8,}", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@\"']++@")
_HEADER = re.compile(
    r"(?<![\w-])((?:proxy-)?authorization|x-[\w-]{0,40}(?:token|key|secret|auth)[\w-]{0,40}|api-?key)"
    r"(\s{0,8}:\s{0,8})((?:basic|bearer|digest|negotiate|apikey|token)\s++)?+[^\s\"'\[][^\r\n\"']*",
    re.IGNORECASE,
)
_COOKIES = re.compile(r"(?<![\w-])((?:set-)?cookie\s{0,8}:)([^\r\n]*)", re.IGNORECASE)
_PAIR = r"(?<![\w.%\[\]-])([\w.%\[\]-]++)="
_COOKIE = re.compile(_PAIR + r"(\"[^\"&;\s]*\"|[^&;\s\"'#]+)")
# In a URL quotes, `#` and `;` end a value only where a text about the URL goes on, or another parameter.
_PARAMETER = re.compile(
    _PAIR + r"(\"[^\"&;\s]*\"(?!\w)|(?:[^&;\s\"'#]++|[\"'#](?=[\w%])|;(?=[\w%])(?![\w.%\[\]-]{1,64}=))++)"
)
_COOKIE_ATTRIBUTES = frozenset({"path", "domain", "expires", "maxage", "samesite"})

# A member of a JSON object inside a text that may be cut anywhere; with \" for quotes inside another JSON string.
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_MEMBER = re.compile(rf'"((?:[^"\\]|\\.){{1,64}})"(\s*+:\s*+)({_STRING}|[\w.+-]+)', re.DOTALL)
_QUOTED_MEMBER = re.compile(r'(?<!\\)(\\++")([^"\\]{1,64})\1(\s*+:\s*+)(?:(\\++")[^"\\]*|([\w.+-]+))')

# A CONNECT with data, as sent or as a rule words it. `CONNECT_ERROR` is not one: the server words that for people.
# Neither is `40{...}` or `40{"sid":...}`, by which a rule says what is to be sent, or answered.
_CONNECT = re.compile(r"(?:(?<![\w.])40(?:/[^,{\s]{0,200},)?|\bCONNECT\b[^{]{0,200})(?=\{(?!(?:\"sid\":)?\.\.\.\}))")
_EVENT = re.compile(r'\[(?="([^"\\]{1,64})"\s*,)')
_ANY_VALUE = re.compile(
    rf'(?P<stays>"(?:sid|offset)"\s*+:\s*+{_STRING})|{_STRING}(?P<key>\s*+:)?|(?<=[:\[,\s])-?\d[\w.+-]*', re.DOTALL
)


class Redactor:
    """Takes secrets out of texts and JSON values; one that is not `enabled` returns them as they are."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled

    def shown(self, raw: str | bytes, limit: int | None = None) -> str:
        """`raw` without secrets, as printable text of at most `limit` characters."""
        text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
        return printable(self.text(text), limit)

    def text(self, text: str) -> str:
        """`text` without secrets: a request target, a header, a packet as sent, a sentence that quotes one."""
        if not self.enabled or not _SUSPICIOUS.search(text):
            return text
        connect = _CONNECT.search(text)
        if connect:
            text = _redact_values(text, connect.end(), connect.end())
        event = _EVENT.search(text)
        if event and is_secret_event(event[1]):
            text = _redact_values(text, event.start(), event.end() + len(event[1]) + 2)
        text = _QUOTED_MEMBER.sub(_redact_quoted_member, _MEMBER.sub(_redact_member, text))
        text = _HEADER.sub(lambda found: f"{found[1]}{found[2]}{found[3] or ''}{REDACTED}", text)
        text = _COOKIES.sub(_redact_cookies, text)
        text = _USERINFO.sub(f"{REDACTED}@", text)
        text = _PARAMETER.sub(_redact_parameter, text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        return _TOKEN.sub(REDACTED, text)

    def json(self, value: object) -> object:
        """A JSON value without secrets."""
        return self._walk(value, secret=False) if self.enabled else value

    def authentication(self, value: object) -> object:
        """The data of a CONNECT that a client sent, of which everything may be a secret."""
        if not self.enabled:
            return value
        if isinstance(value, dict):
            return {
                self.text(key): item if key in _NO_AUTHENTICATION else self._walk(item, secret=True)
                for key, item in value.items()
            }
        return self._walk(value, secret=True)

    def event(self, data: object) -> object:
        """The data of an EVENT: its name, then its arguments. Those of `authenticate` and the like are secrets."""
        if self.enabled and isinstance(data, list) and data and isinstance(data[0], str):
            secret = is_secret_event(data[0])
            return [self.text(data[0]), *(self._walk(item, secret=secret) for item in data[1:])]
        return self.json(data)

    def _walk(self, value: object, *, secret: bool) -> object:
        if isinstance(value, str):
            return REDACTED if secret else self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._walk(item, secret=secret or is_secret(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, secret=secret) for item in value]
        if secret and value is not None and not isinstance(value, bool):
            return REDACTED
        return value


def _redact_values(text: str, start: int, after: int) -> str:
    """Hide the values of the JSON at `start`, or of what there is of it, from the position `after` on."""
    try:
        end = json.JSONDecoder().raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        end = len(text)

    def value(found: re.Match[str]) -> str:
        return found[0] if found["stays"] or found["key"] else f'"{REDACTED}"'

    return text[:after] + _ANY_VALUE.sub(value, text[after:end]) + text[end:]


def _redact_member(found: re.Match[str]) -> str:
    name, colon, value = found.groups()
    if not is_secret(name) or value in _JSON_WORDS:
        return found[0]
    return f'"{name}"{colon}"{REDACTED}"'


def _redact_quoted_member(found: re.Match[str]) -> str:
    quote, name, colon, opening, bare = found.groups()
    if not is_secret(name) or bare in _JSON_WORDS:
        return found[0]
    return f"{quote}{name}{quote}{colon}{opening or ''}{REDACTED}"


def _redact_cookies(found: re.Match[str]) -> str:
    def cookie(pair: re.Match[str]) -> str:
        stays = pair[1] == "io" or plain(pair[1]) in _COOKIE_ATTRIBUTES
        return pair[0] if stays else f"{pair[1]}={REDACTED}"

    return found[1] + _COOKIE.sub(cookie, found[2])


def _redact_parameter(found: re.Match[str]) -> str:
    if is_secret_parameter(unquote(found[1])):
        return f"{found[1]}={REDACTED}"
    return found[0]
