"""Advisories: named only where every version within the bound is affected."""

import pytest

from eiosniff.knowledge.advisories import advisories_for, bound_of, load
from eiosniff.knowledge.library import load as load_libraries
from eiosniff.model.peers import Identity


def ids(version: str, library: str = "socket.io") -> set[str]:
    return {advisory.id for advisory in advisories_for(Identity(library, library, version))}


@pytest.mark.parametrize(
    ("version", "named", "not_named"),
    [
        # 2.4.0 has the fix of CVE-2020-28481, so that of "2.1 to 2.4" it is not said.
        ("2.3 or older", {"CVE-2020-28481", "CVE-2024-38355", "CVE-2022-41940", "CVE-2020-36048"}, {"CVE-2023-32695"}),
        ("2.1 to 2.4", {"CVE-2024-38355", "CVE-2022-41940", "CVE-2020-36048"}, {"CVE-2020-28481"}),
        ("3.0", {"CVE-2022-21676", "CVE-2022-41940", "CVE-2023-32695", "CVE-2026-33151"}, {"CVE-2023-31125"}),
        # 3.1 allows engine.io 4.1.2, which has the fix of CVE-2022-21676.
        ("3.0 to 3.1", {"CVE-2024-38355", "CVE-2022-41940"}, {"CVE-2022-21676", "CVE-2020-36048"}),
        # engine.io 5.0, that of 4.0, does not have the mistake of CVE-2023-31125.
        ("4.0 to 4.4", {"CVE-2024-38355", "CVE-2022-41940", "CVE-2023-32695"}, {"CVE-2023-31125"}),
    ],
)
def test_what_applies_to_all_versions_within_a_bound(version: str, named: set[str], not_named: set[str]) -> None:
    found = ids(version)
    assert named <= found
    assert not not_named & found


@pytest.mark.parametrize(
    "version",
    ["", "4.5 to 4.7", "4.7", "2.3 to 2.5", "2.5", "2.x or older", "4.4 or older", "4.5 to 4.8", "4.5 or later", "4.8",
     "?", "4.7 or later", "0.9 or older"],
)  # fmt: skip
def test_nothing_is_said_where_a_version_with_the_fix_is_possible(version: str) -> None:
    assert ids(version) == set()


def test_an_advisory_is_on_one_library() -> None:
    assert ids("2.3 or older")
    assert ids("2.3 or older", "netty-socketio") == set()


def test_bounds_are_read_as_the_fingerprints_write_them() -> None:
    for library in load_libraries().servers:
        for _, bound in library.versions:
            known = bound_of(bound.replace(r"\1", "1.7.19"))
            assert (known is None) == bound.endswith("or later"), bound
    assert bound_of("1.7.19") == ((1, 7, 19), (1, 7, 19))


def test_each_advisory_says_what_it_is_and_where_it_is_from() -> None:
    libraries = {library.id for library in load_libraries().servers}
    for advisory in load():
        assert advisory.library in libraries
        assert advisory.id.startswith(("CVE-", "GHSA-"))
        assert advisory.ghsa in advisory.source
        assert advisory.whole
        assert all(first <= last for first, last in advisory.whole)
        assert len(advisory.line) <= 100
    assert len({advisory.id for advisory in load()}) == len(load())
