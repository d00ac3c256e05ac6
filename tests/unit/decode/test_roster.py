"""Who is let go for whom: the oldest that is over, and never what is under way."""

from dataclasses import dataclass

from eiosniff.decode.sessions.roster import Roster, Standing

SILENCE = 10


@dataclass(eq=False)
class Member:
    name: int
    standing: Standing = Standing.UNDER_WAY
    silent_since: int = 0


def _standing(member: Member, now: int) -> Standing:
    if member.standing is Standing.SILENT and now - member.silent_since > SILENCE:
        return Standing.OVER
    return member.standing


def _filled(most: int, *members: Member, now: int = 0) -> Roster[Member]:
    roster = Roster(most, _standing)
    for member in members:
        assert roster.admit(member, now) == []
    return roster


def _gone(roster: Roster[Member], name: int, now: int = 0) -> list[int]:
    return [member.name for member in roster.admit(Member(name), now)]


def test_the_oldest_that_is_over_goes_when_there_is_no_room() -> None:
    members = [Member(number) for number in range(4)]
    roster = _filled(4, *members)
    members[1].standing = members[2].standing = Standing.OVER
    assert _gone(roster, 4) == [1]
    assert _gone(roster, 5) == [2]


def test_what_is_under_way_stays_and_goes_later() -> None:
    members = [Member(number) for number in range(50)]
    roster = _filled(2, *members)
    for member in members:
        member.standing = Standing.OVER
    gone: list[int] = []
    for number in range(50, 100):
        gone += _gone(roster, number)
    assert sorted(gone) == list(range(50))


def test_what_is_silent_may_go_on() -> None:
    members = [Member(0, Standing.SILENT), Member(1), Member(2)]
    roster = _filled(3, *members)
    assert _gone(roster, 3, now=SILENCE) == []
    members[0].standing = Standing.UNDER_WAY
    assert _gone(roster, 4, now=SILENCE + 1) == []
    members[0].standing, members[0].silent_since = Standing.SILENT, SILENCE
    assert _gone(roster, 5, now=2 * SILENCE) == []
    assert _gone(roster, 6, now=2 * SILENCE + 1) == [0]


def test_a_flood_of_silent_ones_is_bounded() -> None:
    roster = Roster(10, _standing)
    gone: list[int] = []
    for number in range(5_000):
        gone += [member.name for member in roster.admit(Member(number, Standing.SILENT), 0)]
    assert gone == list(range(len(gone)))
    assert len(gone) > 3_500


def test_a_clock_that_was_set_back_keeps_nobody() -> None:
    roster = _filled(1, Member(0, Standing.SILENT), now=100)
    assert _gone(roster, 1, now=5) == [0]
