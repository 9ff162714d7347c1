"""What was seen of objects, also of those that are gone."""

from videoannotator.scheduler.launchers.kubernetes.sightings import (
    DEPARTED_KEPT,
    Seen,
    Sightings,
    State,
)


def test_only_what_is_new_counts_as_a_change() -> None:
    seen: Sightings[str] = Sightings()

    assert seen.put("u", "Pending", 1.0)
    assert not seen.put("u", "Pending", 2.0)
    assert seen.put("u", "Running", 3.0)
    assert seen.last_seen("u") == Seen(view="Running", state=State.PRESENT, at=3.0)


def test_a_deletion_keeps_what_the_object_was_at_last() -> None:
    seen: Sightings[str] = Sightings()
    seen.put("u", "Running", 1.0)

    seen.delete("u", "Failed", 2.0)

    assert dict(seen.objects) == {}
    assert seen.last_seen("u") == Seen(view="Failed", state=State.DELETED, at=2.0)


def test_what_is_missing_in_a_list_has_vanished_and_proves_no_end() -> None:
    seen: Sightings[str] = Sightings()
    seen.put("u", "Running", 1.0)
    seen.put("v", "Running", 1.0)

    assert seen.replace({"v": "Running"}, 5.0)

    assert seen.last_seen("u") == Seen(view="Running", state=State.VANISHED, at=5.0)
    assert dict(seen.objects) == {"v": "Running"}
    assert not seen.replace({"v": "Running"}, 6.0)


def test_what_comes_back_is_there() -> None:
    seen: Sightings[str] = Sightings()
    seen.put("u", "Running", 1.0)
    seen.delete("u", "Running", 2.0)

    assert seen.put("u", "Running", 3.0)

    assert dict(seen.departed()) == {}
    assert seen.last_seen("u") == Seen(view="Running", state=State.PRESENT, at=3.0)


def test_a_deletion_of_what_was_never_seen_is_kept_too() -> None:
    seen: Sightings[str] = Sightings()

    assert seen.delete("u", "Succeeded", 1.0)

    assert seen.last_seen("u") == Seen(view="Succeeded", state=State.DELETED, at=1.0)


def test_only_what_is_gone_can_be_forgotten() -> None:
    seen: Sightings[str] = Sightings()
    seen.put("here", "Running", 1.0)
    seen.delete("gone", "Failed", 1.0)

    seen.forget("here")
    seen.forget("gone")
    seen.forget("never seen")

    assert seen.last_seen("gone") is None
    assert dict(seen.objects) == {"here": "Running"}


def test_what_nobody_forgets_does_not_fill_the_memory() -> None:
    seen: Sightings[str] = Sightings()

    for number in range(DEPARTED_KEPT + 5):
        seen.delete(str(number), "Failed", 1.0)

    assert len(seen.departed()) == DEPARTED_KEPT
    assert seen.last_seen("4") is None
    assert seen.last_seen("5") is not None
