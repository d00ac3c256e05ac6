"""Records as values that can be compared: most of them have neither `__eq__` nor fields that `dataclasses` knows."""

import inspect
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from eiosniff.model.http import Fields, HttpRequest
from eiosniff.model.provenance import Endpoint, PacketRef

# What is only remembered, once somebody asked for it: whether that was so says nothing of the record.
MEMOS = {Fields: {"_first", "_folded", "_members", "_names", "_unfolded"}, HttpRequest: {"query"}}
VALUES = Endpoint, PacketRef


_known: dict[type, tuple[str, ...]] = {}


def names(kind: type) -> tuple[str, ...]:
    """The names of what a record of this type holds: in the order of its constructor, then the others."""
    if kind not in _known:
        _known[kind] = _names(kind)
    return _known[kind]


def _names(kind: type) -> tuple[str, ...]:
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    compiled: tuple[str, ...] = getattr(kind, "__mypyc_attrs__", ())  # mypyc leaves no slots
    compiled = tuple(name for name in compiled if name != "__dict__" and not name.isupper())  # constants of the class
    slots = sorted(compiled or (name for each in kind.__mro__ for name in getattr(each, "__slots__", ())))
    if not slots:
        raise TypeError(f"{kind} is not a record")
    made = [name for name in inspect.signature(kind).parameters if name in slots]
    memos = MEMOS.get(kind, set())
    return *made, *(name for name in slots if name not in made and name not in memos)


def flat(value: Any) -> Any:
    """A record as a tuple of its type's name and all that it holds, each flat; other values as they are."""
    if isinstance(value, list):
        return [flat(each) for each in value]
    if isinstance(value, tuple):
        return tuple(flat(each) for each in value)
    if isinstance(value, (*VALUES, Enum)) or not _is_record(type(value)):
        return value
    return type(value).__name__, *(flat(getattr(value, name)) for name in names(type(value)))


def _is_record(kind: type) -> bool:
    return is_dataclass(kind) or hasattr(kind, "__slots__") or hasattr(kind, "__mypyc_attrs__")
