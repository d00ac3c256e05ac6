import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.knowledge.secrets import is_secret
from eiosniff.report.redact import REDACTED, Redactor

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbU"
SECRET = "s3cr3t5"
redactor = Redactor()


@pytest.mark.parametrize(
    "text",
    [
        "GET /socket.io/?EIO=4&transport=polling&token=s3cr3t5&sid=keepme HTTP/1.1",
        "/socket.io/?sid=keepme&api_key=s3cr3t5",
        "/socket.io/?sid=keepme&access%5Ftoken=s3cr3t5#x",
        "/socket.io/?sid=keepme&auth[token]=s3cr3t5",
        "/socket.io/?sid=keepme&key=s3cr3t5",
        "Cookie: io=keepme; connect.sid=s3cr3t5; theme=s3cr3t5",
        "GET /socket.io/?sid=keepme&password='s3cr3t5'",
        'GET /socket.io/?sid=keepme&password=a"s3cr3t5',
        "GET /socket.io/?sid=keepme&password=#s3cr3t5",
        "GET /socket.io/?sid=keepme&password=a;s3cr3t5",
        "'GET /socket.io/?password=s3cr3t5', keepme",
        "Cookie: token=a;io=keepme;sess=s3cr3t5",
        'Cookie: io=keepme; token="s3cr3t5"',
        "Set-Cookie: AWSALB=s3cr3t5; Path=/keepme; HttpOnly",
        "x-keepme: 1\r\nAuthorization: Bearer s3cr3t5",
        "keepme proxy-authorization: Basic s3cr3t5==",
        "keepme X-Api-Key: s3cr3t5",
        "keepme bearer s3cr3t5s3cr3t5",
        "wss://user:s3cr3t5@keepme/",
        '40{"whatever":"s3cr3t5","sid":"keepme"}',
        '40/admin,{"sid":"keepme","deep":{"a":["s3cr3t5",{"b":"s3cr3t5"}]}}',
        '40{"sid":"keepme","cut":["s3cr3t5',
        'keepme CONNECT /admin {"name":"s3cr3t5"}',
        "40/keepme?token=s3cr3t5,",
        '40{"sid":"keepme","pid":"s3cr3t5"}',
        '42["keepme",{"password":"s3cr3t5"}]',
        '42["keepme",{"passwordHash": "a\\"s3cr3t5"}]',
        '42["keepme","{\\"jwt\\":\\"s3cr3t5\\"}"]',
        '42["keepme",{"pin":12,"token":"s3cr3t5',
        '42["authenticate","s3cr3t5"] keepme',
        f"keepme {JWT}s3cr3t5",
        "keepme eyJhbGciOiJIUzI1NiJ9s3cr3t5…",
    ],
)
def test_a_secret_goes_and_the_rest_stays(text: str) -> None:
    shown = redactor.text(text)
    assert SECRET not in shown
    assert REDACTED in shown
    assert "keepme" in shown
    assert redactor.text(shown) == shown
    assert Redactor(enabled=False).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        '0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000}',
        '44{"message":"invalid token: jwt expired"}',
        'send "40", wait for "40{...}", then send 42["name",data]: "2" is an event',
        'send "40", wait for the "40{"sid":...}" of the server, and only then "send" events',
        "CONNECT_ERROR: authorization required",
        "GET /socket.io/?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYWAAAC&t=abc",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        '42["keydown",{"key":"ArrowLeft"}]',
        '42["x",{"token":null,"auth":true}]',
        "closes, no status code",
    ],
)
def test_what_a_diagnosis_needs_stays(text: str) -> None:
    assert redactor.text(text) == text


def test_json_is_walked() -> None:
    value = {"a": [{"apiKey": "x", "session": {"id": 5, "ok": True, "none": None}}], "url": "/?token=y", "n": 1.5}
    assert redactor.json(value) == {
        "a": [{"apiKey": REDACTED, "session": {"id": REDACTED, "ok": True, "none": None}}],
        "url": f"/?token={REDACTED}",
        "n": 1.5,
    }
    assert Redactor(enabled=False).json(value) is value


def test_all_of_the_authentication_data_of_a_client_is_secret() -> None:
    assert redactor.authentication({"room": "a", "pid": "p", "offset": "o", "n": [1]}) == {
        "room": REDACTED, "pid": REDACTED, "offset": "o", "n": [REDACTED],
    }  # fmt: skip
    assert redactor.authentication("bare") == REDACTED
    assert Redactor(enabled=False).authentication("bare") == "bare"


def test_an_event_that_authenticates_is_secret() -> None:
    assert redactor.event(["login", "me", {"code": 1}]) == ["login", REDACTED, {"code": REDACTED}]
    assert redactor.event(["chat", "me", {"code": 1}]) == ["chat", "me", {"code": 1}]
    assert redactor.event([]) == []
    assert redactor.event({"token": "x"}) == {"token": REDACTED}


def test_names() -> None:
    assert is_secret("X-Access-Token")
    assert is_secret("connect.sid")
    assert not is_secret("sid")
    assert not is_secret("io")


@given(st.text())
def test_any_text_can_be_redacted_twice(text: str) -> None:
    once = redactor.text(text)
    assert redactor.text(once) == once


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    )
)
def test_a_token_never_comes_through_wherever_it_is(value: Any) -> None:
    text = "40" + json.dumps({"deep": value, "token": SECRET, "list": [SECRET]})
    assert SECRET not in redactor.text(text)


@pytest.mark.parametrize(
    "piece",
    ["x-token", "eyJ-", "\\", '"a":', "a=", "40/", 'x="', "://", "CONNECT ", "cookie:", '"a":"\\\n', "bearer ", '"',
     "[-", '40{"a', "[[", "{", '["a",', "authorization: basic ", "%", "-"],
)  # fmt: skip
def test_hostile_text_takes_linear_time(piece: str) -> None:
    begun = time.perf_counter()
    redactor.text("=" + piece * (200_000 // len(piece)) + "{:=")
    assert time.perf_counter() - begun < 5
