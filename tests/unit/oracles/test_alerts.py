"""When a person hears of something: once when it begins, once when it ends."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.types import Micros
from oracles.alerts import Alert, Condition, Patience, Subject, Trouble, Watch, moment, span
from oracles.errors import SampleError
from oracles.probes.outcomes import Doubt, Failed, Ok, Outcome, Reason, Result, Slow, Unknown
from tests.support.probed import target

DAY = date(2026, 1, 29)
MIDNIGHT = int(datetime(2026, 1, 29, tzinfo=UTC).timestamp())
GOOD, SLOW = Ok(Micros(20_000)), Slow(Micros(140_000))
BAD = Failed(Reason.TIMEOUT, "no complete answer in 5 s")
UNSURE = Unknown(Doubt.OWN_LOOP, "busy")
_CODES: dict[str, Outcome] = {".": GOOD, "F": BAD, "S": SLOW, "?": UNSURE}
OTHER = Result(target(1, member="beta"), GOOD)


def seen(outcome: Outcome, member: str = "gatotech") -> Result:
    return Result(target(1, member=member), outcome)


def slots(watch: Watch, codes: str, first: int = 0) -> list[str]:
    """What each slot tells of gatotech/polkadot, beside a service that is always good."""
    told = []
    for slot, code in enumerate(codes, first):
        if code == "_":  # not polled at all
            continue
        results = [OTHER] if code == "-" else [OTHER, seen(_CODES[code])]
        told += [brief(alert, slot) for alert in watch.slot(DAY, slot, results)]
    return told


def brief(alert: Alert, slot: int) -> str:
    since = (alert.since - MIDNIGHT) // 300
    return f"{slot}: {alert.subject.what} {'ended' if alert.ended else 'began'} since {since}"


def only(alerts: Iterable[Alert]) -> Alert:
    (alert,) = alerts
    return alert


# --- Services ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ("....", []),
        ("F", []),
        ("F.F.F.", []),
        ("FF", ["1: fails began since 0"]),
        ("FFFFFF", ["1: fails began since 0"]),
        ("..FF..", ["3: fails began since 2", "4: fails ended since 2"]),
        ("FF.FF.", ["1: fails began since 0", "2: fails ended since 0",
                    "4: fails began since 3", "5: fails ended since 3"]),
        ("SS", ["1: slow began since 0"]),
        ("SS.", ["1: slow began since 0", "2: slow ended since 0"]),
        ("SFSFSF", []),
        ("FFSS.", ["1: fails began since 0", "2: fails ended since 0",
                   "3: slow began since 2", "4: slow ended since 2"]),
        ("SSFF.", ["1: slow began since 0", "3: fails began since 2",
                   "4: fails ended since 2", "4: slow ended since 0"]),
        # unknown or missed: it ends a run, as in scoring, but no alert
        ("F?F", []),
        ("F_F", []),
        ("F-F", []),
        ("F?FF", ["3: fails began since 2"]),
        ("FF???", ["1: fails began since 0"]),
        ("FF?.", ["1: fails began since 0", "3: fails ended since 0"]),
        ("FF__F", ["1: fails began since 0"]),
        ("FF-F-.", ["1: fails began since 0", "5: fails ended since 0"]),
    ],
)  # fmt: skip
def test_a_service_is_told_of_once_when_it_turns_bad_and_once_when_good(
    codes: str, told: list[str]
) -> None:
    assert slots(Watch(), codes) == told


def test_how_many_slots_are_waited_for_is_a_setting() -> None:
    assert slots(Watch(Patience(bad_slots=1)), "F") == ["0: fails began since 0"]
    assert slots(Watch(Patience(bad_slots=4)), "FFF.FFFF") == ["7: fails began since 4"]
    patient = Watch(Patience(good_slots=2))
    assert slots(patient, "FF.F.?..") == ["1: fails began since 0", "7: fails ended since 0"]


def test_a_recovery_counts_from_its_first_good_slot() -> None:
    watch = Watch(Patience(good_slots=3))
    slots(watch, "FF..")
    alert = only(watch.slot(DAY, 4, [seen(GOOD)]))
    assert (alert.since, alert.at) == (MIDNIGHT, MIDNIGHT + 600)


def test_of_several_ways_in_the_worst_counts() -> None:
    watch = Watch(Patience(bad_slots=1))
    assert only(watch.slot(DAY, 0, [seen(GOOD), seen(BAD), seen(UNSURE)])).subject == Subject(
        Trouble.FAILS, "gatotech", "polkadot"
    )


def test_services_do_not_mix() -> None:
    watch = Watch(Patience(bad_slots=1))
    alerts = watch.slot(DAY, 0, [seen(BAD), seen(BAD, "alpha"), OTHER])
    assert [alert.subject.member for alert in alerts] == ["alpha", "gatotech"]
    assert only(watch.slot(DAY, 1, [seen(GOOD), seen(BAD, "alpha")])).subject.member == "gatotech"


def test_a_run_goes_on_over_midnight() -> None:
    watch = Watch()
    assert watch.slot(DAY, 287, [OTHER, seen(BAD)]) == ()
    alert = only(watch.slot(date(2026, 1, 30), 0, [OTHER, seen(BAD)]))
    assert alert.since == MIDNIGHT + 287 * 300


def test_a_slot_that_comes_twice_or_late_counts_for_nothing() -> None:
    watch = Watch()
    assert watch.slot(DAY, 5, [OTHER, seen(BAD)]) == ()
    assert watch.slot(DAY, 5, [OTHER, seen(BAD)]) == ()
    assert watch.slot(DAY, 4, [OTHER, seen(BAD)]) == ()
    with pytest.raises(SampleError):
        watch.slot(DAY, 288, [])


def test_who_left_the_roster_is_forgotten_without_a_word() -> None:
    watch = Watch()
    slots(watch, "FF")
    watch.condition(Condition.BALANCE, MIDNIGHT, bad=True)
    assert len(watch.lasting()) == 2
    watch.keep({("beta", "polkadot")})
    assert watch.lasting() == (Subject(Condition.BALANCE),)
    assert slots(watch, ".", first=2) == []


# --- The oracle itself ------------------------------------------------------------------


def test_an_oracle_that_sees_nothing_says_so_and_blames_nobody() -> None:
    watch = Watch()
    lost = Unknown(Doubt.OWN_NETWORK, "nothing at all could be reached over IPv4")
    nothing = [seen(lost), seen(lost, "beta")]
    assert watch.slot(DAY, 0, nothing) == ()
    alert = only(watch.slot(DAY, 1, nothing))
    assert alert.text == (
        "This oracle sees nothing since 2026-01-29 00:00 UTC: "
        "own-network, nothing at all could be reached over IPv4"
    )
    assert watch.slot(DAY, 2, nothing) == ()
    assert only(watch.slot(DAY, 3, [*nothing, OTHER])).ended


def test_what_comes_and_goes_is_waited_for() -> None:
    watch = Watch()
    for at, told in ((0, 0), (60, 0), (119, 0), (120, 1), (121, 0), (999, 0)):
        assert len(watch.condition(Condition.NODE, at, bad=True, detail="refused")) == told, at
    alert = only(watch.condition(Condition.NODE, 3_600, bad=False))
    assert (alert.since, alert.at, alert.ended) == (0, 3_600, True)
    assert watch.condition(Condition.NODE, 3_601, bad=False) == ()
    assert watch.condition(Condition.NODE, 3_602, bad=True) == ()
    assert watch.condition(Condition.NODE, 3_603, bad=False) == ()
    assert watch.condition(Condition.NODE, 3_800, bad=True) == ()


@pytest.mark.parametrize(
    "what", [Condition.NO_STANDING_REPORT, Condition.CONTRADICTION, Condition.BALANCE]
)
def test_what_does_not_pass_by_itself_is_told_at_once(what: Condition) -> None:
    watch = Watch()
    assert only(watch.condition(what, 7, bad=True)).subject == Subject(what)
    assert watch.condition(what, 8, bad=True) == ()


def test_two_days_are_two_conditions() -> None:
    watch = Watch()
    for day in ("2026-01-28", "2026-01-29"):
        alert = only(watch.condition(Condition.NO_STANDING_REPORT, 7, bad=True, key=day))
        assert alert.subject.key == day
    ended = only(watch.condition(Condition.NO_STANDING_REPORT, 9, bad=False, key="2026-01-28"))
    assert "2026-01-28" in ended.text
    assert [subject.key for subject in watch.lasting()] == ["2026-01-29"]


def test_every_condition_has_words_for_both_ends() -> None:
    for what in Condition:
        for ended in (False, True):
            text = Alert(Subject(what, key="k"), ended, 0, 60, "d").text
            assert text.startswith("This oracle (k) "), text


# --- Restarts ---------------------------------------------------------------------------


def test_a_restart_at_any_point_tells_nothing_twice_and_loses_nothing() -> None:
    codes = "..FF?FS.SSFF..F.FF??F."
    whole = slots(Watch(), codes)
    assert len(whole) > 6
    for point in range(len(codes)):
        watch = Watch()
        told = slots(watch, codes[:point])
        told += slots(Watch.load(watch.save()), codes[point:], first=point)
        assert told == whole, point


def test_a_restart_does_not_tell_of_conditions_again() -> None:
    watch = Watch()
    watch.condition(Condition.NODE, 0, bad=True)
    assert watch.condition(Condition.BALANCE, 0, bad=True, detail="0.1 PAS", key="k")
    watch = Watch.load(watch.save())
    assert watch.condition(Condition.BALANCE, 5, bad=True, key="k") == ()
    assert only(watch.condition(Condition.NODE, 120, bad=True)).since == 0


def test_the_state_is_json_and_the_same_for_the_same_state() -> None:
    watch = Watch()
    slots(watch, "FF")
    assert json.loads(watch.save())["version"] == 1
    assert Watch.load(watch.save()).save() == watch.save()


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"{}",
        b'{"version":2,"slot":null,"tracks":[]}',
        b'{"version":1,"slot":"x","tracks":[]}',
        b'{"version":1,"slot":99999999999999999999,"tracks":[]}',
        b'{"version":1,"slot":null,"tracks":[{"what":"other","since":1}]}',
        b'{"version":1,"slot":null,"tracks":[{"what":"fails","since":-1}]}',
        b'{"version":1,"slot":null,"tracks":[{"what":"fails","since":1,"bad":-1}]}',
        b'{"version":1,"slot":null,"tracks":[],"more":1}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_another_state_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigError, match="the saved state of the alerts"):
        Watch.load(raw)


# --- Words ------------------------------------------------------------------------------


def test_a_beginning_and_an_end_in_words() -> None:
    watch = Watch()
    watch.slot(DAY, 12, [OTHER, seen(BAD)])
    began = only(watch.slot(DAY, 13, [OTHER, seen(BAD)]))
    assert began.text == (
        "gatotech/polkadot fails since 2026-01-29 01:00 UTC: timeout, no complete answer in 5 s"
    )
    for slot in range(14, 30):
        watch.slot(DAY, slot, [OTHER, seen(BAD)])
    ended = only(watch.slot(DAY, 30, [OTHER, seen(GOOD)]))
    assert ended.text == (
        "gatotech/polkadot answers again since 2026-01-29 02:30 UTC, after 1 h 30 min "
        "(since 2026-01-29 01:00 UTC): timeout, no complete answer in 5 s"
    )
    assert ended.fields() == {
        "id": ended.id,
        "event": "ended",
        "what": "fails",
        "member": "gatotech",
        "service": "polkadot",
        "since": MIDNIGHT + 3_600,
        "at": MIDNIGHT + 9_000,
        "detail": "timeout, no complete answer in 5 s",
        "text": ended.text,
    }


def test_an_id_is_the_same_for_the_same_event_and_no_other() -> None:
    subject = Subject(Trouble.FAILS, "gatotech", "polkadot")
    events = [
        Alert(subject, False, 0, 300, ""),
        Alert(subject, True, 0, 300, ""),
        Alert(subject, False, 300, 600, ""),
        Alert(Subject(Trouble.SLOW, "gatotech", "polkadot"), False, 0, 300, ""),
        Alert(Subject(Trouble.FAILS, "beta", "polkadot"), False, 0, 300, ""),
        Alert(Subject(Condition.BALANCE, key="a"), False, 0, 300, ""),
        Alert(Subject(Condition.BALANCE, key="b"), False, 0, 300, ""),
    ]
    assert len({event.id for event in events}) == len(events)
    assert Alert(subject, False, 0, 999, "another text").id == events[0].id
    assert all(len(event.id) == 32 and event.id.isalnum() for event in events)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<!channel> <@U123>", "@room", "[click](https://evil.example)",
        "a\nb\r\nc", "\x1b[31mred", "\u202etxt.exe", "`code`", "\0", "x" * 100_000,
    ],
)  # fmt: skip
def test_a_strangers_text_is_one_plain_line_without_mark_up_or_mentions(text: str) -> None:
    watch = Watch(Patience(bad_slots=1))
    alert = only(watch.slot(DAY, 0, [OTHER, seen(Failed(Reason.RPC_ERROR, text))]))
    assert alert.text.isprintable()
    assert not set("<>@[]`") & set(alert.text)
    assert "://" not in alert.text
    assert len(alert.text) < 1_000
    own = only(watch.condition(Condition.BALANCE, 0, bad=True, detail=text))
    assert own.text.isprintable()


def test_times_are_utc_and_spans_have_two_units() -> None:
    assert moment(MIDNIGHT) == "2026-01-29 00:00 UTC"
    spans = {0: "0 s", 59: "59 s", 60: "1 min", 300: "5 min", 3_600: "1 h", 5_400: "1 h 30 min",
             86_400: "1 d", 90_061: "1 d 1 h", 86_700: "1 d 5 min", -5: "0 s"}  # fmt: skip
    assert {seconds: span(seconds) for seconds in spans} == spans


def test_patience_without_sense_is_refused() -> None:
    with pytest.raises(ConfigError):
        Patience(bad_slots=0)
    with pytest.raises(ConfigError):
        Patience(condition_seconds=-1)
