"""The list of interfaces, as it is in a network namespace of our own."""

import sys
import time

import pytest

from tests.interop.namespaces import NEAR_ADDRESS, network

if sys.platform != "linux":
    pytest.skip("there are no network namespaces but on Linux", allow_module_level=True)

from eiosniff.capture.live import devices

__all__ = ["network"]  # a fixture

pytestmark = pytest.mark.interop


def near(network):
    (found,) = [device for device in devices.devices() if device.name == network.near]
    return found


def test_interfaces_are_those_of_this_namespace(network):
    assert {device.name for device in devices.devices()} == {"lo", network.near}
    assert near(network).addresses == (NEAR_ADDRESS,)
    assert near(network).up
    network.near_is("down")
    assert not near(network).up
    network.unplug()
    assert {device.name for device in devices.devices()} == {"lo"}


def test_which_one_carries_traffic(network):
    before = devices.devices()
    with network.sender() as far:
        for _ in range(20):
            far.send(bytes(12) + b"\x88\xb5" + bytes(86))
    end = time.monotonic() + 10
    while near(network).packets < 20 and time.monotonic() < end:
        pass
    rates = devices.traffic(before, devices.devices(), 0.5)
    assert rates == {"lo": devices.Rate(0.0, 0.0), network.near: devices.Rate(40.0, 4000.0)}


def test_only_ethernet_has_tags(network):
    assert devices.has_tags(network.near)
    assert not devices.has_tags("lo")
