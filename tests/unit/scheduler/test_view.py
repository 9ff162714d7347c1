"""What a leader remembers of what it was told."""

from dataclasses import replace

import pytest

from tests.fakes.rows import BROKE, NOW, ago, ahead, at
from videoannotator.domain.jobs import AttemptOutcome, Progress
from videoannotator.domain.videos import Probe
from videoannotator.scheduler.inbox import (
    Answered,
    CreateEnded,
    ExamineEnded,
    Finished,
    Message,
    Moved,
    Opened,
    Said,
    TerminateEnded,
)
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Contact, Ended, Examined, Observed
from videoannotator.scheduler.view import MOST_LINES, Seen, View
from videoannotator.store.rows import JobRows

W, KEY = "jr0w1", ("jr0", 1)
DONE = Ended(outcome=AttemptOutcome.COMPLETED)
PROBE = Probe(container="mp4", duration_seconds=9)
NOTHING = Examined(artifacts=None)
DOUBTFUL = (Sight.UNKNOWN, Sight.UNSEEN)


@pytest.fixture
def view() -> View:
    """The memory of a leader who has led for a minute."""
    return View(ago(60))


def observed(view: View, *rows: JobRows, sight: Sight | None = None, after: float = 0) -> Observed:
    """What the next tick sees."""
    sights = {} if sight is None else {W: Observation(sight=sight)}
    return view.observed(Seen(sights=sights), rows, ahead(after), draining=False, ending=False)


def moved(position: float, stage: str = "work") -> Moved:
    return Moved(worker_id=W, progress=Progress(stage=stage, position_seconds=position))


@pytest.mark.parametrize(
    ("message", "contact"),
    [
        (Answered(worker_id=W), Contact(answered_at=NOW)),
        (Answered(worker_id=W, described_by="p1"), Contact(answered_at=NOW)),
        (Opened(worker_id=W, probe=PROBE), Contact(answered_at=NOW, progressed_at=NOW)),
        (moved(1), Contact(answered_at=NOW, progressed_at=NOW)),
        (Said(worker_id=W, level="info", text="hello"), Contact(answered_at=NOW)),
        (Finished(worker_id=W, ended=DONE), Contact(answered_at=NOW, ended=DONE)),
        (CreateEnded(worker_id=W, failure=BROKE), Contact(create_failure=BROKE)),
    ],
)
def test_each_message_becomes_part_of_what_is_known_of_its_worker(
    view: View, message: Message, contact: Contact
) -> None:
    view.fold([message], NOW)

    assert observed(view, at("at work")).contacts == {W: contact}


def test_what_is_told_later_does_not_erase_what_was_told_before(view: View) -> None:
    view.called(W, "p1")
    view.fold([Answered(worker_id=W, described_by="p1")], NOW)
    view.attached(W)
    view.fold([moved(3), Answered(worker_id=W)], ahead(5))

    assert view.contacts[W] == Contact(
        identity="p1",
        described=True,
        attached=True,
        answered_at=ahead(5),
        progressed_at=ahead(5),
    )


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (moved(1), moved(2), True),
        (moved(1), moved(1), False),
        (moved(1), moved(1, "next stage"), True),
    ],
)
def test_progress_is_a_move_not_a_message(
    view: View, first: Moved, second: Moved, counts: bool
) -> None:
    view.fold([first], NOW)
    view.fold([second], ahead(9))

    assert view.contacts[W].progressed_at == (ahead(9) if counts else NOW)
    assert view.contacts[W].answered_at == ahead(9)


def test_the_last_progress_is_to_be_written_once_and_every_line(view: View) -> None:
    lines = [Said(worker_id=W, level="info", text=text) for text in "ab"]

    view.fold([moved(1), lines[0], moved(2), lines[1], Opened(worker_id=W, probe=PROBE)], NOW)

    assert view.progress[W].position_seconds == 2
    assert (view.unwritten, view.lines, view.probes) == ({W}, lines, {W: PROBE})


def test_what_was_written_is_not_written_again_and_what_came_since_is(view: View) -> None:
    lines = [Said(worker_id=W, level="info", text=text) for text in "abc"]
    view.fold([moved(1), *lines], NOW)

    view.written({W}, 2)

    assert (view.unwritten, view.lines) == (set(), lines[2:])


def test_lines_that_nobody_takes_do_not_fill_the_memory(view: View) -> None:
    line = Said(worker_id=W, level="info", text="x")

    view.fold([line] * (MOST_LINES + 5), NOW)

    assert len(view.lines) == MOST_LINES


@pytest.mark.parametrize("message", [CreateEnded(worker_id=W), TerminateEnded(worker_id=W)])
def test_a_worker_is_busy_until_the_call_has_ended(view: View, message: Message) -> None:
    view.busy.add(W)
    before = observed(view, at("created")).busy

    view.fold([message], NOW)

    assert before == {W}
    assert observed(view, at("created")).busy == frozenset()


@pytest.mark.parametrize(("found", "known"), [(NOTHING, {KEY: NOTHING}), (None, {})])
def test_what_could_not_be_read_is_looked_for_again(
    view: View, found: Examined | None, known: dict[object, Examined]
) -> None:
    view.examining.add(KEY)

    view.fold([ExamineEnded(worker_id=W, key=KEY, examined=found)], NOW)
    seen = observed(view, at("reported"))

    assert seen.examining == frozenset()
    assert seen.examined == known


def test_a_worker_is_missing_since_the_first_look_that_missed_it(view: View) -> None:
    rows = at("at work")

    observed(view, rows, sight=Sight.UNKNOWN)
    still = observed(view, rows, sight=Sight.UNKNOWN, after=20)
    back = observed(view, rows, sight=Sight.ALIVE, after=30)
    anew = observed(view, rows, sight=Sight.UNKNOWN, after=40)

    assert still.unseen_since == {W: NOW}
    assert back.unseen_since == {}
    assert anew.unseen_since == {W: ahead(40)}


@pytest.mark.parametrize("sight", [sight for sight in Sight if sight not in DOUBTFUL])
def test_what_is_seen_is_not_missing(view: View, sight: Sight) -> None:
    assert observed(view, at("created"), sight=sight).unseen_since == {}


def test_what_no_row_names_is_forgotten(view: View) -> None:
    view.fold([moved(1), Opened(worker_id=W, probe=PROBE), Finished(worker_id=W, ended=DONE)], NOW)
    view.fold([ExamineEnded(worker_id=W, key=KEY, examined=NOTHING)], NOW)
    observed(view, at("at work"), sight=Sight.UNKNOWN)

    gone = observed(view, at("gone"))
    purged = observed(view)

    assert (gone.contacts, gone.unseen_since) == ({}, {})
    assert (view.progress, view.probes, view.unwritten) == ({}, {}, set())
    assert gone.examined == {KEY: NOTHING}  # the run is there, and not settled yet
    assert purged.examined == {}


def test_what_was_seen_does_not_change_any_more(view: View) -> None:
    seen = observed(view, at("at work"), sight=Sight.UNKNOWN)
    before = replace(seen)

    view.fold([moved(1), ExamineEnded(worker_id=W, key=KEY, examined=NOTHING)], ahead(1))
    view.busy.add(W)
    view.examining.add(KEY)
    observed(view, at("at work"), sight=Sight.ALIVE)

    assert seen == before
    assert (seen.contacts, seen.busy, seen.examined) == ({}, frozenset(), {})
