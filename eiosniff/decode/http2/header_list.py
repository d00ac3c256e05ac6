"""Header lists of HTTP/2 and HTTP/3, as HTTP/1.1 would show them (RFC 9113, section 8.3; RFC 9114, section 4.3)."""

from typing import Final, final

from eiosniff.model.http import Fields

HeaderList = list[tuple[bytes, bytes]]

# A header that is not known, or not its value; a real name is never empty.
UNKNOWN: Final = b""
_BREAKS: Final = (b"\r", b"\n", b"\0")


@final
class Head:
    """A header list taken apart.

    `pseudo` are the fields whose names begin with a colon, the first of each name; `fields` the others as lines of
    HTTP/1.1, with `:authority` as `host` before them. `unknown` counts fields that are not known, `wrong` is one that
    no message may have (RFC 9113, section 8.2.1; RFC 9114, section 4.2): what would break its line is a space then.
    """

    __slots__ = ("fields", "pseudo", "unknown", "wrong")

    def __init__(self, listed: HeaderList) -> None:
        self.pseudo: dict[bytes, bytes] = {}
        self.unknown = 0
        self.wrong = b""
        lines: list[bytes] = []
        cookies: list[bytes] = []
        for name, value in listed:
            if name == UNKNOWN:
                self.unknown += 1
            elif name.startswith(b":"):
                self.pseudo.setdefault(name, _in_one_line(value))
            elif name == b"cookie":  # in pieces, so that more of it is in the table (8.2.3; 4.2.1)
                cookies.append(value)
            else:
                lines.append(self._line(name, value))
        if cookies:
            lines.append(self._line(b"cookie", b"; ".join(cookies)))
        authority = self.pseudo.get(b":authority")
        if authority is not None and not any(line.startswith(b"host:") for line in lines):
            lines.insert(0, self._line(b"host", authority))
        self.fields = Fields(b"".join(lines), True)

    def _line(self, name: bytes, value: bytes) -> bytes:
        line = name + b": " + value
        if b":" in name or any(each in line for each in _BREAKS):
            self.wrong = self.wrong or line
            line = _in_one_line(name.replace(b":", b" ") + b": " + value)
        return line + b"\r\n"


def _in_one_line(text: bytes) -> bytes:
    for each in _BREAKS:
        text = text.replace(each, b" ")
    return text
