"""What a daemon must not forget: what it measured, and what it is about to sign.

One SQLite file, one process. A word (the root that an oracle puts its name to) is on disk before it
is signed, and there is one for a day, kind and turn for ever: whatever crashes when, this oracle
never signs two roots for one of them. Every write is durable when the call returns.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, delete, event, func
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, col, create_engine, select

from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId, BlockNumber, Hash, Micros
from oracles.layout import SLOTS
from oracles.samples import Sample, Status

SCHEMA_VERSION = 1
Slot = tuple[date, int]


class JournalError(InputError):
    """The journal cannot be used: another process has it, it is another oracle's, or damaged."""


class WouldContradict(CheckFailed):
    """Signing this would contradict what this oracle said, or was about to say, before."""


class PollState(StrEnum):
    BEGUN = "begun"
    """Under way, or cut off by the end of the process: nothing is known of it then."""
    DONE = "done"
    MISSED = "missed"


class _Table(SQLModel, registry=registry()):
    """Keeps these tables apart from the ledger's in the same process."""


class Owner(_Table, table=True):
    """One row: whose journal this is, and since which block of the chain."""

    id: int = Field(primary_key=True, default=1)
    oracle: bytes
    program: bytes
    since: int
    """The chain's head when it was begun."""


class Poll(_Table, table=True):
    """One slot: polled, or why not."""

    day: str = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    state: PollState
    reason: str = ""


class SampleRow(_Table, table=True):
    """What one poll of one service came to."""

    __table_args__ = (
        ForeignKeyConstraint(["day", "slot"], ["poll.day", "poll.slot"]),
        CheckConstraint("status between 0 and 3"),
    )
    day: str = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    member: str = Field(primary_key=True)
    service: str = Field(primary_key=True)
    status: int
    response_us: int | None


class Word(_Table, table=True):
    """A root that this oracle stands by. `remark` is empty until it is signed."""

    day: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    turn: int = Field(primary_key=True, default=0)
    """Of a `report`."""
    root: bytes
    rows: int
    previous: bytes = b""
    """Of an `observe`."""
    observes: bytes = b""
    """Of a `report`: roots behind each other."""
    remark: bytes = b""
    refused: str = ""
    """Why the ledger did not take it."""


class Posting(_Table, table=True):
    """An extrinsic with a word that was sent to a node."""

    hash: bytes = Field(primary_key=True)
    day: str
    kind: str
    turn: int
    death: int
    """The first block that can no longer include it."""


class Note(_Table, table=True):
    """Small documents by name, such as which alerts are out."""

    name: str = Field(primary_key=True)
    text: str


class Journal:
    """The journal in `folder`, which is made where it is not there. For any number of threads.

    Raises `JournalError`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.sqlite"
        self._mutex = threading.Lock()
        """Reading and then writing is one step for the other threads."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise JournalError(f"{folder} belongs to another oracle process that runs") from None
        self._engine = create_engine(f"sqlite:///{self._path}")
        event.listen(self._engine, "connect", _prepare)
        with self._errors(), self._engine.begin() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version not in (0, SCHEMA_VERSION):
                raise JournalError(
                    f"{self._path} is of version {version}, this program reads {SCHEMA_VERSION}"
                )
            _Table.metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        self._engine.dispose()
        os.close(self._lock)

    # --- whose ---

    def claim(self, oracle: AccountId, program: Hash, head: BlockNumber) -> BlockNumber:
        """The block since which this journal is `oracle`'s: `head` where it is new.

        Raises `JournalError` for another oracle's or programme's.
        """
        with self._session() as session:
            owner = session.get(Owner, 1)
            if owner is None:
                owner = Owner(oracle=oracle, program=program, since=head)
                session.add(owner)
                session.commit()
            if (owner.oracle, owner.program) != (oracle, program):
                raise JournalError(
                    f"{self._path} is of oracle 0x{owner.oracle.hex()} and programme "
                    f"0x{owner.program.hex()}: each needs a folder of its own"
                )
            return BlockNumber(owner.since)

    # --- polls ---

    def begin(self, slot: Slot) -> bool:
        """Note that `slot` is being polled; False where it was already."""
        with self._session() as session:
            poll = session.get(Poll, _key(slot))
            if poll is not None and poll.state is PollState.DONE:
                return False
            session.merge(Poll(day=slot[0].isoformat(), slot=slot[1], state=PollState.BEGUN))
            session.commit()
            return True

    def finish(self, slot: Slot, samples: Iterable[Sample]) -> None:
        """Keep what the poll of `slot` found, all or nothing."""
        day, number = slot[0].isoformat(), slot[1]
        with self._session() as session:
            session.merge(Poll(day=day, slot=number, state=PollState.DONE))
            session.flush()
            session.add_all(
                SampleRow(
                    day=day,
                    slot=number,
                    member=sample.member,
                    service=sample.service,
                    status=int(sample.status),
                    response_us=sample.response_time,
                )
                for sample in samples
            )
            session.commit()

    def miss(self, slot: Slot, reason: str) -> None:
        """Note that nothing will be known of `slot`, unless it was polled."""
        with self._session() as session:
            poll = session.get(Poll, _key(slot))
            if poll is None or poll.state is PollState.BEGUN:
                session.merge(
                    Poll(day=_key(slot)[0], slot=slot[1], state=PollState.MISSED, reason=reason)
                )
                session.commit()

    def miss_before(self, slot: Slot, reason: str) -> int:
        """`miss` every slot between the last one noted and `slot`; how many there were.

        Days that lie wholly in between are left out: no slot of theirs was polled.
        """
        with self._session() as session:
            last = _last_slot(session)
            if last is None or last >= slot:
                return 0
            missed = [
                (day, number)
                for day in sorted({last[0], slot[0]})
                for number in range(SLOTS)
                if last < (day, number) < slot
            ]
            for day, number in missed:
                poll = Poll(day=day.isoformat(), slot=number, state=PollState.MISSED, reason=reason)
                session.merge(poll)
            begun = session.get(Poll, _key(last))
            if begun is not None and begun.state is PollState.BEGUN:
                begun.state, begun.reason = PollState.MISSED, reason
            session.commit()
            return len(missed)

    def last_slot(self) -> Slot | None:
        """The last slot that anything is noted of."""
        with self._session() as session:
            return _last_slot(session)

    def polls(self, day: date) -> Sequence[Poll]:
        with self._session() as session:
            found = select(Poll).where(Poll.day == day.isoformat()).order_by(col(Poll.slot))
            return session.exec(found).all()

    def samples(self, day: date, oracle: AccountId) -> list[Sample]:
        """What `oracle`, whose journal this is, found on `day`."""
        with self._session() as session:
            found = session.exec(select(SampleRow).where(SampleRow.day == day.isoformat()))
            return [
                Sample(
                    oracle,
                    day,
                    row.slot,
                    row.member,
                    row.service,
                    Status(row.status),
                    None if row.response_us is None else Micros(row.response_us),
                )
                for row in found
            ]

    def forget_before(self, day: date) -> None:
        """Drop polls and samples of days before `day`. Words are kept for ever."""
        with self._session() as session:
            for table in (SampleRow, Poll):
                session.exec(delete(table).where(col(table.day) < day.isoformat()))
            session.commit()

    # --- words ---

    def word(self, day: date, kind: Kind) -> Word | None:
        """The last word for `day`."""
        with self._session() as session:
            found = select(Word).where(Word.day == day.isoformat(), Word.kind == kind.value)
            return session.exec(found.order_by(col(Word.turn).desc()).limit(1)).first()

    def words(self) -> Sequence[Word]:
        """All words, the last ones first."""
        with self._session() as session:
            order = col(Word.day).desc(), col(Word.kind), col(Word.turn).desc()
            return session.exec(select(Word).order_by(*order)).all()

    def intend(self, word: Word) -> Word:
        """Commit to `word` before it is signed; the one that stands, which may be signed already.

        Raises `WouldContradict` where another root stands for this day, kind and turn.
        """
        with self._session() as session:
            known = session.get(Word, _place(word))
            if known is None:
                session.add(word)
                session.commit()
                return word
            if (known.root, known.rows) != (word.root, word.rows):
                raise WouldContradict(
                    f"{word.kind} of {word.day}: 0x{known.root.hex()} was written down before; "
                    f"0x{word.root.hex()} will not be signed"
                )
            return known

    def signed(self, word: Word, remark: bytes) -> None:
        """Keep the signed remark of a word, which is then said again byte for byte."""
        with self._session() as session:
            known = session.get_one(Word, _place(word))
            if known.remark not in (b"", remark):
                raise WouldContradict(f"{word.kind} of {word.day}: was signed in another form")
            known.remark = remark
            session.commit()

    def refused(self, word: Word, reason: str) -> None:
        with self._session() as session:
            session.get_one(Word, _place(word)).refused = reason
            session.commit()

    # --- postings ---

    def posted(self, word: Word, extrinsic: Hash, death: BlockNumber) -> None:
        with self._session() as session:
            session.merge(
                Posting(hash=extrinsic, day=word.day, kind=word.kind, turn=word.turn, death=death)
            )
            session.commit()

    def alive_until(self, word: Word) -> int:
        """The first block that can include none of the word's extrinsics; 0 where none was sent."""
        with self._session() as session:
            ends = select(func.max(Posting.death)).where(
                Posting.day == word.day, Posting.kind == word.kind, Posting.turn == word.turn
            )
            return session.exec(ends).one() or 0

    # --- notes ---

    def note(self, name: str, text: str) -> None:
        with self._session() as session:
            session.merge(Note(name=name, text=text))
            session.commit()

    def noted(self, name: str) -> str | None:
        with self._session() as session:
            note = session.get(Note, name)
            return None if note is None else note.text

    # --- parts ---

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with (
            self._mutex,
            self._errors(),
            Session(self._engine, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise JournalError(f"{self._path}: {error.orig}") from error


def _last_slot(session: Session) -> Slot | None:
    order = select(Poll).order_by(col(Poll.day).desc(), col(Poll.slot).desc()).limit(1)
    poll = session.exec(order).first()
    return None if poll is None else (date.fromisoformat(poll.day), poll.slot)


def _key(slot: Slot) -> tuple[str, int]:
    return slot[0].isoformat(), slot[1]


def _place(word: Word) -> tuple[str, str, int]:
    return word.day, word.kind, word.turn


def _prepare(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")
