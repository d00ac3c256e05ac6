"""Secrets where others can read them: reported by name, and their values in no output."""

import json

import pytest
from click.testing import CliRunner

from eiosniff.cli.main import cli
from eiosniff.knowledge.secrets import holds_secret, is_secret_cookie
from eiosniff.model.finding import Finding, Severity
from eiosniff.model.provenance import Endpoint
from eiosniff.rules.exposure import public_peer
from tests.cases import RECORDED
from tests.unit.decode.talk_sessions import Talk, played

TOKEN = "a-secret-of-no-value"  # as in the recordings
WITH_SECRETS = {
    "faulty/token-in-url-behind-nginx": TOKEN,
    "faulty/cleartext-authorization": TOKEN,
    "near_miss/token-in-url-auth": TOKEN,
    "near_miss/cleartext-private": TOKEN,
    "near_miss/connect-error-auth-accepted": "good-token",
    "faulty/connect-error-auth-v2-server": "stale-token",
}
PUBLIC = Endpoint("192.52.193.2", 3000)
JSON_WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"  # nobody's


def opened(query: str, headers: str = "", client: str = "10.0.0.7", server: Endpoint | None = None) -> Talk:
    talk = Talk()
    talk.connect("w", client, server or Endpoint("10.0.0.2", 3000), headers=headers)
    return talk.play(f'w> WS EIO=4&transport=websocket{query}\nw< 101\nw< open:S\nw> 40\nw< 40{{"sid":"x"}}').close()


def finding(talk: Talk, name: str) -> Finding:
    found = talk.found(name)
    assert found is not None
    return found


# ---------------------------------------------------------------------- nothing prints a secret


@pytest.mark.parametrize("capture", WITH_SECRETS)
@pytest.mark.parametrize(
    "command",
    [["analyze"], ["analyze", "-f", "json"], ["analyze", "-q"], ["decode"], ["decode", "-f", "jsonl"]],
    ids=" ".join,
)
def test_no_output_holds_the_value_of_a_secret(capture: str, command: list[str]) -> None:
    result = CliRunner().invoke(cli, [*command, str(RECORDED / f"{capture}.pcap")])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert WITH_SECRETS[capture] not in result.output


def test_the_value_is_there_to_be_seen() -> None:
    shown = CliRunner().invoke(cli, ["decode", "--no-redact", str(RECORDED / "near_miss/token-in-url-auth.pcap")])
    assert TOKEN in shown.output


@pytest.mark.parametrize("capture", WITH_SECRETS)
def test_findings_do_not_hold_it_even_where_nothing_is_redacted(capture: str) -> None:
    arguments = ["analyze", "-f", "json", "--no-redact", "--fail-on", "never", str(RECORDED / f"{capture}.pcap")]
    report = json.loads(CliRunner().invoke(cli, arguments).output)
    assert WITH_SECRETS[capture] not in json.dumps(report["diagnoses"])


# ---------------------------------------------------------------------- token-in-url


@pytest.mark.parametrize(
    "name", ["token", "access_token", "auth", "jwt", "apiKey", "api_key", "session", "password", "key"]
)
def test_a_parameter_that_is_called_like_a_secret_is_one(name: str) -> None:
    found = finding(opened(f"&{name}=abc123"), "token-in-url")
    assert f'"{name}"' in found.title
    assert found.severity is Severity.INFO
    assert "abc123" not in str(found)


def test_what_looks_like_a_json_web_token_is_one() -> None:
    found = finding(opened(f"&user={JSON_WEB_TOKEN}"), "token-in-url")
    assert '"user"' in found.title
    assert JSON_WEB_TOKEN not in str(found)


@pytest.mark.parametrize("query", ["&token=undefined", "&token=", "&token=null", "&room=7", "&t=Pabc123", "&EIO=4"])
def test_what_has_no_value_or_another_name_is_none(query: str) -> None:
    assert opened(query).found("token-in-url") is None


def test_a_proxy_on_the_way_logs_it() -> None:
    found = finding(opened("&token=abc123", "X-Forwarded-For: 203.0.113.9\r\n"), "token-in-url")
    assert found.severity is Severity.WARNING
    assert "There is a proxy on the way" in found.summary


def test_the_query_of_a_namespace_counts_once() -> None:
    script = "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40\nw> 40/chat?token=abc123\nw< 40/chat"
    talk = played(script)
    found = [each for each in talk.findings() if each.name == "token-in-url"]
    assert len(found) == 1
    assert 'in the query of the namespace "/chat"' in found[0].summary
    assert "abc123" not in str(found[0])
    both = played(script.replace("=websocket", "=websocket&token=abc123"))
    assert len([each for each in both.findings() if each.name == "token-in-url"]) == 1


def test_auth_data_of_revision_5_is_where_it_belongs() -> None:
    assert (
        played('w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw> 40{"token":"a"}').found("token-in-url") is None
    )


# ---------------------------------------------------------------------- cleartext, sid-exposed


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        ("10.0.0.7", "192.168.1.2", None),
        ("127.0.0.1", "127.0.0.1", None),
        ("::1", "::1", None),
        ("fd77::1", "fe80::1", None),
        ("100.64.3.4", "10.0.0.2", None),  # a carrier's NAT: not a network of everybody's
        ("192.0.0.4", "10.0.0.2", None),  # a phone whose network speaks IPv6 alone
        ("10.0.0.7", "198.18.0.21", None),  # made up by a local proxy
        ("203.0.113.9", "10.0.0.2", "203.0.113.9"),  # of documentation: in an anonymised capture it stands for one
        ("192.52.193.7", "10.0.0.2", "192.52.193.7"),
        ("10.0.0.7", "192.52.193.2", "192.52.193.2"),
        ("2a00:1450:4001::1", "fd77::2", "2a00:1450:4001::1"),
        ("not an address", "10.0.0.2", None),
    ],
)
def test_which_addresses_are_public(client: str, server: str, expected: str | None) -> None:
    talk = opened("", client=client, server=Endpoint(server, 3000))
    assert public_peer(talk.session) == expected
    assert (talk.found("cleartext") is None) == (expected is None)


@pytest.mark.parametrize(
    ("query", "headers", "word"),
    [
        ("", "Authorization: Bearer abc123\r\n", "the header Authorization"),
        ("", "Cookie: theme=dark; connect.sid=abc123\r\n", "the header Cookie (connect.sid)"),
        ("", "Cookie: laravel_session=abc123\r\n", "the header Cookie (laravel_session)"),
        ("", "X-Api-Key: abc123\r\n", "the header X-Api-Key"),
        ("&token=abc123", "", '"token" in the URL'),
    ],
)
def test_secrets_that_can_be_read_are_named(query: str, headers: str, word: str) -> None:
    found = finding(opened(query, headers, server=PUBLIC), "cleartext")
    assert found.severity is Severity.WARNING
    assert word in found.summary
    assert "abc123" not in str(found)


def test_without_a_secret_it_is_a_remark() -> None:
    found = finding(opened("", "Cookie: theme=dark\r\n", server=PUBLIC), "cleartext")
    assert found.severity is Severity.INFO
    assert "Among what can be read" not in found.summary


def test_what_recovers_a_session_is_a_secret_too() -> None:
    talk = Talk()
    talk.connect("w", server=PUBLIC)
    talk.play('w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw> 40\nw< 40{"sid":"x","pid":"abc123"}')
    found = finding(talk, "cleartext")
    assert "the private session id (pid) of /" in found.summary
    assert "abc123" not in str(found)


def test_a_session_id_is_exposed_by_polling_only() -> None:
    def polls(server: Endpoint, upgrade: str = "") -> Talk:
        talk = Talk()
        for name in ("a", "w"):
            talk.connect(name, server=server)
        poll = "a> GET EIO=4&transport=polling&sid=S\na< 200 6\n"
        return talk.play("a> GET EIO=4&transport=polling\na< 200 open:S\n" + poll * 3 + upgrade)

    assert polls(PUBLIC).names() == ["cleartext + sid-exposed"]
    assert polls(Endpoint("10.0.0.2", 3000)).names() == []
    upgrade = 'w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5\nw> 40\nw< 40{"sid":"x"}'
    assert polls(PUBLIC, upgrade).names() == ["cleartext"]


# ---------------------------------------------------------------------- one list


@pytest.mark.parametrize(("name", "expected"), [("PHPSESSID", True), ("ASPSESSIONIDQQ", True), ("theme", False)])
def test_which_cookies_open_a_session(name: str, expected: bool) -> None:
    assert is_secret_cookie(name) is expected


def test_names_are_compared_without_their_punctuation() -> None:
    assert holds_secret("X-Access_Token[0]", "abc")
    assert not holds_secret("tok", "abc")
