"""BPF filters: how they are built, and what a wrong one is said to be. (That they filter: `tests/interop`.)"""

import numpy as np
import pytest

from eiosniff.capture.live import filters
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType


@pytest.fixture(autouse=True)
def _libpcap():
    try:
        filters.compiled("ip", LinkType.ETHERNET)
    except CaptureError as error:
        pytest.skip(str(error))


FRAGMENTS = "(ip[9] = 6 and ip[6:2] & 0x1fff != 0) or (ip6[6] = 44 and ip6[40] = 6)"


def test_nothing_to_filter_by_is_no_filter():
    assert filters.build() == ""
    assert filters.build("  ") == ""


def test_all_conditions_hold_at_once():
    assert filters.build("not arp", [3000, 3001, 3000], ["192.0.2.1", "2001:db8::1"]) == (
        f"(not arp) and (tcp port 3000 or 3001 or {FRAGMENTS}) and (host 192.0.2.1 or host 2001:db8::1)"
    )


def test_what_has_vlan_tags_is_let_through_as_well():
    built = filters.build("", [3000], tagged=True)
    port = f"(tcp port 3000 or {FRAGMENTS})"
    assert built == f"({port}) or (vlan and (({port}) or (vlan and {port})))"
    filters.check(built)


@pytest.mark.parametrize("expression", ["vlan 5", "udp or (vlan and udp)", "mpls 3 and tcp"])
def test_who_filters_by_tags_himself_is_left_to_it(expression):
    assert filters.build(expression, [80], tagged=True).count("port") == 1


def test_a_filter_of_the_user_alone_is_as_he_wrote_it():
    assert filters.build("tcp port 80", tagged=True) == "tcp port 80"


def test_hosts_are_looked_up_once(monkeypatch):
    monkeypatch.setattr(
        filters.socket, "getaddrinfo",
        lambda host, port, **_: [(filters.socket.AF_INET, 1, 6, "", ("192.0.2.7", 0)),
                                 (filters.socket.AF_INET6, 1, 6, "", ("fe80::1%eth0", 0, 0, 2))],
    )  # fmt: skip
    assert filters.build(hosts=["server.example"]) == "(host 192.0.2.7 or host fe80::1)"


def test_an_address_may_be_in_brackets():
    assert filters.build(hosts=["[::1]"]) == "(host ::1)"


@pytest.mark.parametrize(
    ("ports", "hosts", "words"),
    [
        ([0], [], "no TCP port 0"),
        ([65_536], [], "no TCP port 65536"),
        ([], ["no such host"], "'no such host' is not known"),
        ([], ["x" * 300 + ".example"], "is not known"),
        (list(range(1, 300)), [], "299 ports and addresses are too many"),
    ],
)
def test_ports_and_hosts_that_are_none(ports, hosts, words):
    with pytest.raises(CaptureError, match=words):
        filters.build("", ports, hosts)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tcp prot 3000", "is not understood from 'prot 3000' on"),
        ("tcp port 3000 udp", "is not understood from 'udp' on"),
        ("port 80 and (host 192.0.2.1 or )", "is not understood from '[)]' on"),
        ("ip[6:2 & 3 = 1", "is not understood from '& 3 = 1' on"),
        ("tcp port 3000 and", "something is missing at its end"),
        ("(tcp port 3000", "something is missing at its end"),
        ("port 99999", "99999"),
        ("tcp\0port 3", "holds a zero byte"),
    ],
)
def test_where_the_mistake_is(expression, words):
    with pytest.raises(CaptureError, match=words) as caught:
        filters.check(expression)
    assert "pcap-filter" in caught.value.remedy


def test_a_filter_may_be_for_another_link_layer_than_ethernet():
    filters.check("wlan type mgt")
    with pytest.raises(CaptureError, match=r"cannot be used: .*802\.11"):
        filters.compiled("wlan type mgt", LinkType.ETHERNET)


def test_what_the_user_wrote_is_right_or_wrong_by_itself():
    with pytest.raises(CaptureError, match=r"'tcp\) or \(udp' is not understood from '\) or \(udp' on"):
        filters.build("tcp) or (udp", [3000])


@pytest.mark.parametrize("expression", ["\ud800", "tcp port \u00e4", "(" * 500, "not " * 3000])
def test_no_expression_is_too_odd(expression):
    with pytest.raises(CaptureError):
        filters.check(expression)


def test_as_many_ports_as_may_be_named_are_few_enough_for_a_kernel():
    filters.check(filters.build("", range(3000, 3100), tagged=True))


def test_a_filter_that_no_kernel_runs_is_refused():
    expression = filters.build(hosts=[f"2001:db8::{number}" for number in range(1, 100)], tagged=True)
    with pytest.raises(CaptureError, match="a kernel runs 4096"):
        filters.check(expression)


def test_without_libpcap_nothing_is_checked_and_nothing_compiled(monkeypatch):
    def missing():
        raise CaptureError("libpcap cannot be loaded")

    monkeypatch.setattr(filters, "_library", missing)
    filters.check("tcp prot 3000")
    with pytest.raises(CaptureError, match="libpcap"):
        filters.compiled("tcp port 4321", LinkType.ETHERNET)


def test_a_filter_for_packets_without_link_layer_looks_nearer():
    cooked = np.frombuffer(filters.cooked("udp port 53 and inbound"), filters._INSTRUCTIONS)
    plain = np.frombuffer(filters.compiled("udp port 53 and inbound", LinkType.LINUX_SLL), filters._INSTRUCTIONS)
    moved = {(int(old), int(new)) for old, new in zip(plain["k"], cooked["k"], strict=True) if old != new}
    assert (14, 0xFFFF_F000) in moved  # the protocol, and
    assert (0, 0xFFFF_F004) in moved  # the packet type, which the kernel knows
    assert (25, 9) in moved  # the protocol of IPv4
    assert {old - new for old, new in moved if old > 15} == {16}
    assert (cooked["code"] == plain["code"]).all()


def test_a_filter_for_packets_without_link_layer_cannot_look_into_it():
    with pytest.raises(CaptureError, match="looks into the link layer"):
        filters.cooked("link[4] = 3")
