"""The parts of a HAR's entry as msgspec types. Any value may be missing, and of any type: exports differ, and a person
may have edited one. What is not named here is checked and skipped."""

from typing import Any

import msgspec


class EntryShape(msgspec.Struct, rename="camel"):
    """An entry; the parts that are large, as they were sent."""

    request: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")
    timings: Any = None
    started_date_time: Any = None
    time: Any = None
    connection: Any = None
    connection_id: Any = msgspec.field(name="_connectionId", default=None)
    resource_type: Any = msgspec.field(name="_resourceType", default=None)
    messages: msgspec.Raw = msgspec.field(name="_webSocketMessages", default=msgspec.Raw(b"null"))


class RequestShape(msgspec.Struct, rename="camel"):
    """The request of an entry."""

    method: Any = None
    url: Any = None
    http_version: Any = None
    headers: Any = None
    post_data: Any = None
    headers_size: Any = None
    body_size: Any = None


class ResponseShape(msgspec.Struct, rename="camel"):
    """The response of an entry."""

    status: Any = None
    status_text: Any = None
    http_version: Any = None
    headers: Any = None
    content: Any = None
    headers_size: Any = None
    body_size: Any = None
    error: Any = msgspec.field(name="_error", default=None)
    failure_text: Any = msgspec.field(name="_failureText", default=None)  # of Playwright


class MessageShape(msgspec.Struct, gc=False):
    """A WebSocket message, as Chrome writes it."""

    type: Any = None
    time: Any = None
    opcode: Any = None
    data: Any = None
