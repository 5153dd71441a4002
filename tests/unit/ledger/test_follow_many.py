"""Several chains in one process: whose error ends them, and what is raised of it.

The order of two chains' ends is set here, so `follow_chain` is a stand-in; what a real one does
is in `tests/e2e/test_indexer.py`.
"""

from threading import Event

import pytest

from ibp_chain.errors import CheckFailed, InputError
from ledger import follow_many
from ledger.following import Ears, Followed

ONE, TWO = (Followed(("ws://127.0.0.1:1",), f"sqlite:///{name}.db") for name in ("one", "two"))
PLANS = {"one": ONE, "two": TWO}
EARS = {"one": Ears(), "two": Ears()}


def test_what_ended_those_that_stayed_is_raised_and_not_what_was_told_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, said = Event(), list[str]()

    def follow(plan: Followed, _leaving: Event, _ears: Ears) -> None:
        if plan is TWO:
            raise CheckFailed("nodes disagree")
        assert told.wait(60)
        raise InputError("the database went away")

    def hear(error: CheckFailed) -> None:
        said.append(str(error))
        told.set()

    monkeypatch.setattr(follow_many, "follow_chain", follow)
    with pytest.raises(InputError, match="one: the database went away"):
        follow_many.follow_all(PLANS, Event(), EARS, hear)
    assert said == ["two: nodes disagree"]


def test_what_was_told_is_raised_when_somebody_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Event()

    def follow(plan: Followed, leaving: Event, _ears: Ears) -> None:
        if plan is TWO:
            raise CheckFailed("nodes disagree")
        leaving.wait(60)

    monkeypatch.setattr(follow_many, "follow_chain", follow)
    with pytest.raises(CheckFailed, match="two: nodes disagree"):
        follow_many.follow_all(PLANS, leaving, EARS, lambda _: leaving.set())


def test_without_staying_a_failed_check_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()

    def follow(plan: Followed, leaving: Event, _ears: Ears) -> None:
        if plan is TWO:
            raise CheckFailed("nodes disagree")
        assert leaving.wait(60)
        ended.set()

    monkeypatch.setattr(follow_many, "follow_chain", follow)
    with pytest.raises(CheckFailed, match="two: nodes disagree"):
        follow_many.follow_all(PLANS, Event(), EARS)
    assert ended.is_set()
