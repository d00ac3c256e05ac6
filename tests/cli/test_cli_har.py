"""A HAR on the command line: the report names entries, and what cannot be read is one line."""

import json

import pytest
from click.testing import CliRunner

from eiosniff.cli.main import cli
from tests.cases import RECORDED
from tests.har_files import har, poll, session

UPGRADE = str(RECORDED / "har/chromium-upgrade.har.gz")
PING = str(RECORDED / "har/chromium-client-ping.har.gz")


@pytest.fixture
def run():
    """Run a command line for once with what really reads, and not with the stand-in."""
    return lambda *arguments, **options: CliRunner().invoke(cli, arguments, **options)


def test_the_report_names_entries_and_no_filter(run):
    result = run("analyze", PING)
    assert result.exit_code == 1
    assert "4 entries" in result.stdout
    assert "client-ping-in-eio4 (EIO038), likely" in result.stdout
    assert "2.7" in result.stdout
    assert "frame.number" not in result.stdout
    assert "Wireshark" not in result.stdout


def test_json_has_entry_and_message(run):
    report = json.loads(run("analyze", "-f", "json", PING).stdout)
    (capture,) = report["captures"]
    assert (capture["format"], capture["packets"], capture["link_types"]) == ("HAR (gzip)", 4, [])
    ping = report["diagnoses"][0]["evidence"][0]
    assert (ping["packet"], ping["message"]) == (2, 7)
    assert report["diagnoses"][0]["display_filter"] == ""
    assert report["sessions"][0]["client"]["address"] == "browser"


def test_decode_names_entries(run):
    lines = run("decode", UPGRADE).stdout.splitlines()
    assert lines[0].split()[0] == "2"
    assert any(line.split()[0].endswith(".1") and "ping probe" in line for line in lines)
    first = json.loads(run("decode", "-f", "jsonl", UPGRADE).stdout.splitlines()[0])
    assert (first["packet"], first["packets"]) == (2, [2])


def test_secrets_are_redacted(run, tmp_path):
    entry = poll(0, '{"code":5,"message":"Unsupported protocol version"}', sid="&token=hunter2hunter2", status=400)
    entry["request"]["headers"].append({"name": "Cookie", "value": "session=hunter2hunter2"})
    (tmp_path / "x.har").write_bytes(har(entry))
    result = run("analyze", str(tmp_path / "x.har"))
    assert "hunter2" not in result.stdout
    assert "[redacted]" in result.stdout


def test_what_the_wire_says_is_not_shown_as_it_is(run, tmp_path):
    entry = poll(0, None, sid="", status=0, _error="net::ERR_\x1b[31mX")
    (tmp_path / "x.har").write_bytes(har(entry))
    assert "\x1b" not in run("analyze", str(tmp_path / "x.har")).stdout


def test_standard_input_will_do(run):
    result = run("decode", "-", input=har(*session()))
    assert "DISCONNECT" in result.stdout


def test_json_that_is_no_har_and_flows_of_mitmproxy_are_one_line(run, tmp_path):
    (tmp_path / "x.json").write_bytes(b'{"name": "eiosniff"}')
    for file in (str(tmp_path / "x.json"), str(RECORDED / "har/mitmproxy-upgrade.flows")):
        result = run("analyze", file)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
    assert "mitmdump -nr FLOWS --set hardump=OUT.har" in result.stderr


def test_a_cut_har_says_so_and_tells_the_rest(run, tmp_path):
    (tmp_path / "x.har").write_bytes(har(*session())[:-600])
    result = run("analyze", str(tmp_path / "x.har"))
    assert "the HAR is cut off in entry 5" in " ".join(result.stdout.split())
    assert "1 Socket.IO session" in result.stdout


def test_options_that_leave_all_out_are_the_first_thing_to_try(run):
    assert (
        "1. Leave out --port 80 --path /x: nothing else" in run("analyze", "--port", "80", "--path", "/x", PING).stdout
    )
    result = run("compare", "--port", "80", UPGRADE, PING)
    assert (result.exit_code, "with --port 80; leave that out" in result.stderr) == (2, True)
