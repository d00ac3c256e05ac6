"""Records as values that can be compared: most of them have neither `__eq__` nor fields that `dataclasses` knows."""

import inspect
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from eiosniff.model.http import Fields, HttpRequest
from eiosniff.model.provenance import Endpoint, PacketRef

# What is only remembered, once somebody asked for it: whether that was so says nothing of the record.
MEMOS = {Fields: {"_first", "_folded", "_members"}, HttpRequest: {"query"}}
VALUES = Endpoint, PacketRef


@cache
def names(kind: type) -> tuple[str, ...]:
    """The names of what a record of this type holds: in the order of its constructor, then the others."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    slots = sorted(name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
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
    if isinstance(value, (*VALUES, Enum)) or not (is_dataclass(value) or hasattr(type(value), "__slots__")):
        return value
    return type(value).__name__, *(flat(getattr(value, name)) for name in names(type(value)))
