"""pyshark's traps, and a tshark that is missing, old, or fails: with a stand-in that behaves so."""

import asyncio
import gc
import json
import os
import stat
import subprocess
import sys
import textwrap
import warnings

import pytest

from eiosniff.capture import tshark_program
from eiosniff.capture.leftover import Leftover, explain, name
from eiosniff.capture.tshark_program import Tshark, TsharkError
from eiosniff.model.outside import OutsideConnection, OutsidePacket
from eiosniff.model.provenance import Endpoint
from eiosniff.model.secrets import Secrets

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")

CONNECTION = OutsideConnection(Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 443), quic=False)


def frame(number, data):
    layers = {
        "frame": {
            "frame.number": str(number),
            "frame.len": "9",
            "frame.time_epoch": "0",
            "frame.protocols": "raw:data",
        },
        "data": {"data.data": data.hex(":")},
    }
    return {"_source": {"layers": layers}}


def output(*texts):
    return json.dumps([frame(number, text) for number, text in enumerate(texts, 1)], indent=2)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a tshark first in the path, which writes that, and ends so."""

    def put(text="", *, code=0, error="", version="TShark (Wireshark) 4.0.17 (Git v4.0.17)", after=""):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "out").write_text(text)
        program = folder / "tshark"
        script = f"""\
            #!{sys.executable} -S
            import sys, os
            if sys.argv[1] in ("-v", "--version"):
                print({version!r})
            elif sys.argv[1] == "-G":
                print("Transmission Control Protocol\\tTCP\\ttcp\\nHypertext Transfer Protocol\\tHTTP\\thttp")
            else:
                asked = "\\n".join([*sys.argv[1:], os.environ.get("WIRESHARK_CONFIG_DIR", "")])
                open({str(folder / "asked")!r}, "w").write(asked)
                sys.stdout.write(open({str(folder / "out")!r}).read())
                sys.stdout.flush()
                {after or "pass"}
                sys.stderr.write({error!r})
                sys.exit({code})
            """
        program.write_text(textwrap.dedent(script))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return put


def packets(count):
    return [OutsidePacket(10 * n, n, CONNECTION, n % 2 == 0, n, b"x") for n in range(1, count + 1)]


def decrypted(count):
    """The pieces of an extract with so many packets, the problem, and the lines for the user."""
    with Leftover() as leftover:
        leftover.write(packets(count))
        with leftover.decrypt(Secrets()) as at_work:
            pieces = list(at_work)
        lines = leftover.problems([piece.connection for piece in pieces])
    return pieces, at_work.problem, lines


def test_pieces_are_of_the_packets_that_frames_were_made_of(stand_in):
    stand_in(output(b"one", b"two"))
    pieces, problem, lines = decrypted(2)
    assert [(p.number, p.ts_ns, p.from_client, p.data) for p in pieces] == [
        (10, 1, False, b"one"),
        (20, 2, True, b"two"),
    ]
    assert (problem, lines) == ("", [])
    assert pieces[0].connection is CONNECTION


def test_frames_that_were_never_asked_about_are_passed_over(stand_in):
    stand_in(output(b"one", b"two", b"three"))
    assert len(decrypted(2)[0]) == 2


@pytest.mark.parametrize("code", [1, 2])
def test_a_tshark_that_fails_half_way_is_said_and_what_it_wrote_is_used(stand_in, code):
    """As for a file that is cut: pyshark raises, closing it raises again, and now and then it ends quietly."""
    stand_in(output(b"one"), code=code, error="tshark: The file appears to have been cut short.\n")
    pieces, problem, lines = decrypted(2)
    assert [piece.data for piece in pieces] == [b"one"]
    assert problem.startswith("tshark stopped after 1 of 2 packets")
    assert lines == [f"tshark failed: {problem}; what it had decrypted until then is used"]
    if code == 2:
        assert "cut short" in problem


@pytest.mark.parametrize("text", ["", "[]", "garbage", "{}", "[\n{\n", '[\n  {\n "a": 1\n  },\n', "\0" * 70_000])
def test_whatever_it_writes_nothing_is_raised(stand_in, text):
    stand_in(text, code=2)
    pieces, problem, _ = decrypted(3)
    assert pieces == []
    assert problem.startswith("tshark stopped after 0 of 3 packets")


def test_a_quiet_end_is_noticed(stand_in):
    """Ten bytes that are no capture: in half of the runs pyshark ends without a word."""
    stand_in("", code=0)
    assert decrypted(3)[1] == "tshark stopped after 0 of 3 packets"


@pytest.mark.parametrize(("data", "spoke"), [(b"\x16\x17\x03\xab\x01", False), (b"\x17\x03\x03\x00\x40", True)])
def test_only_who_carried_something_is_missed(stand_in, data, spoke):
    """The key exchange is random: type and version of application data come in it by chance."""
    stand_in(output(b"one"))
    with Leftover() as leftover:
        leftover.write([OutsidePacket(1, 1, CONNECTION, True, 0, data)])
        with leftover.decrypt(Secrets()) as at_work:
            list(at_work)
        assert [line[:24] for line in leftover.problems([])] == ["tshark decrypted nothing"] * spoke


def test_octets_in_another_way_end_it(stand_in):
    stand_in(output(b"one").replace("6f:6e:65", "6f 6e 65"))
    assert "in a way that is not known" in decrypted(1)[1]


def test_nothing_is_printed_when_it_fails_after_its_output_was_given_up(stand_in, monkeypatch):
    stand_in(output(b"one", b"two").replace("74:77:6f", "74 77 6f"), code=2)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with Leftover() as leftover:
        leftover.write(packets(2))
        with leftover.decrypt(Secrets()) as at_work:
            pieces = iter(at_work)
            assert next(pieces).data == b"one"
            (process,) = at_work._capture._running_processes
            at_work._loop.run_until_complete(process.wait())
            assert list(pieces) == []
    gc.collect()
    assert "in a way that is not known" in at_work.problem
    assert unraisable == []


def test_nothing_is_printed_when_it_is_left_behind(stand_in, capfd, caplog):
    """pyshark's destructor closes once more, and prints a traceback if that fails."""
    stand_in(output(b"one"), code=2)
    with Leftover() as leftover:
        leftover.write(packets(300))
        with leftover.decrypt(Secrets()) as at_work:
            next(iter(at_work))
    del at_work, leftover
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_its_exit_status_is_not_taken_from_asyncio(stand_in, monkeypatch):
    """`Popen.poll` does that, and asyncio calls it before it kills: a warning in the log, where tshark just ended."""
    stand_in(output(b"one") + " " * 70_000, after="import time; time.sleep(60)")
    looked: list[int] = []
    with Leftover() as leftover:
        leftover.write(packets(300))
        with leftover.decrypt(Secrets()) as at_work:
            pieces = iter(at_work)
            assert next(pieces).data == b"one"
            monkeypatch.setattr(subprocess.Popen, "poll", lambda self: looked.append(self.pid))
    assert looked == []


def test_one_that_does_not_end_is_ended(stand_in):
    stand_in(output(b"one") + " " * 70_000, after="import time; time.sleep(60)")
    with Leftover() as leftover:
        leftover.write(packets(2))
        with leftover.decrypt(Secrets()) as at_work:
            assert next(iter(at_work)).data == b"one"


def test_its_profile_has_nothing_of_the_users_and_switches_all_else_off(stand_in, monkeypatch):
    folder = stand_in(output(b"one"))
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", "/somewhere")
    with Leftover() as leftover:
        leftover.write(packets(1))
        with leftover.decrypt(Secrets()) as at_work:
            (profile,) = {path.parent for path in at_work._folder.iterdir()}
            assert (profile / "disabled_protos").read_text() == "http\n"
            assert stat.S_IMODE((profile / "keys.log").stat().st_mode) == 0o600
            assert stat.S_IMODE(profile.stat().st_mode) == 0o700
            list(at_work)
    asked = (folder / "asked").read_text().splitlines()
    assert asked[-1] == str(profile)
    assert "-n" in asked
    assert asked[asked.index("-T") + 1] == "json"
    assert asked[asked.index("-J") + 1] == "frame data quic"
    assert "--no-duplicate-keys" in asked
    assert not profile.exists()
    assert os.environ["WIRESHARK_CONFIG_DIR"] == "/somewhere"


def test_the_loop_is_its_own_and_no_child_watcher_is_touched(stand_in, monkeypatch):
    """Python 3.12 warns of child watchers, and 3.14 has none; a loop of the caller's stays as it is."""
    stand_in(output(b"one"))
    monkeypatch.delattr(asyncio, "set_child_watcher", raising=False)
    monkeypatch.delattr(asyncio, "get_child_watcher", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(decrypted(1)[0]) == 1


def test_a_config_ini_in_the_current_folder_is_not_pysharks(stand_in, tmp_path, monkeypatch):
    stand_in(output(b"one"))
    (tmp_path / "config.ini").write_text("[tshark]\ntshark_path = /bin/false\n")
    monkeypatch.chdir(tmp_path)
    assert len(decrypted(1)[0]) == 1


def test_pyshark_that_cannot_be_loaded(stand_in, monkeypatch):
    stand_in(output(b"one"))
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with Leftover() as leftover:
        leftover.write(packets(1))
        with pytest.raises(TsharkError, match="pyshark cannot be loaded") as raised:
            leftover.decrypt(Secrets())
    assert raised.value.remedy == "pip install 'pyshark>=0.6'"


# ------------------------------------------------------------------ which one


def test_the_one_that_is_there(stand_in):
    folder = stand_in()
    assert tshark_program.find() == Tshark(str(folder / "tshark"), "4.0.17")


def test_none_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TsharkError, match="tshark is not installed; install Wireshark's tshark"):
        tshark_program.find()


@pytest.mark.parametrize(("version", "good"), [("3.4.16", False), ("3.6.0", True), ("4.6.1", True), ("10.0", True)])
def test_the_oldest_that_will_do(version, good):
    said = f"TShark (Wireshark) {version} (v{version}).\n\nCopyright 1998-2021 Gerald Combs"
    if good:
        assert tshark_program.check("/x/tshark", 0, said).version == version
    else:
        with pytest.raises(TsharkError, match=r"/x/tshark is too old: it is 3\.4, and needs to be 3\.6 or newer"):
            tshark_program.check("/x/tshark", 0, said)


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (127, "tshark: error while loading shared libraries: libwireshark.so", "error while loading shared libraries"),
        (-11, "", "it ended with code -11"),
        (0, "something else 4.0.1", "something else"),
    ],
)
def test_one_that_does_not_start(code, said, reason):
    with pytest.raises(TsharkError, match=f"/x/tshark does not start: .*{reason}"):
        tshark_program.check("/x/tshark", code, said)


# ------------------------------------------------------------------ what is said of it


def test_connections_are_named_by_their_servers():
    some = [OutsideConnection(Endpoint("192.0.2.1", 1), Endpoint("192.0.2.2", port), quic=True) for port in range(1, 6)]
    assert name(some) == "5 QUIC connections to 192.0.2.2:1, 192.0.2.2:2, 192.0.2.2:3 and others"
    assert name([CONNECTION, *some[:1]]) == "2 TLS and QUIC connections to 192.0.2.2:443, 192.0.2.2:1"
    assert explain([CONNECTION], "tshark is not installed", "install it") == (
        "1 TLS connection to 192.0.2.2:443 can only be decrypted by tshark, and tshark is not installed; install it"
    )


def test_nothing_was_left():
    with Leftover() as leftover:
        leftover.write([])
        assert (leftover.connections, leftover.problems([])) == ([], [])
