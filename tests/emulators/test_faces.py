"""A history of what was shown: every instant has the face that it had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.emulators.faces import FACES_KEPT, Faces

INSTANTS = st.integers(0, 20)


def test_before_the_beginning_there_is_none_and_later_there_is_the_latest() -> None:
    faces = Faces(10.0, "first")
    faces.show(20.0, "second")
    shown = [faces.at(instant) for instant in (9.9, 10.0, 19.9, 20.0, 1e9)]
    assert shown == [None, "first", "first", "second", "second"]
    assert (faces.now, faces.since) == ("second", 10.0)


def test_time_does_not_go_back_and_the_last_of_one_instant_counts() -> None:
    faces = Faces(10.0, "first")
    faces.show(20.0, "second")
    faces.show(15.0, "third")
    assert [faces.at(instant) for instant in (15.0, 20.0)] == ["first", "third"]


def test_only_so_many_are_kept_and_very_old_instants_get_the_oldest() -> None:
    faces = Faces(0.0, -1)
    for number in range(FACES_KEPT + 5):
        faces.show(float(number), number)
    assert [faces.at(0.0), faces.at(FACES_KEPT + 4.0), faces.at(-1.0)] == [5, FACES_KEPT + 4, None]


@given(st.lists(st.tuples(INSTANTS, st.sampled_from("abc")), max_size=12), INSTANTS)
def test_the_face_at_an_instant_is_the_last_one_shown_until_then(
    changes: list[tuple[int, str]], instant: int
) -> None:
    faces = Faces(0.0, "a")
    latest, expected = 0, "a"
    for at, face in changes:
        faces.show(float(at), face)
        latest = max(latest, at)
        if latest <= instant:
            expected = face
    assert faces.at(float(instant)) == expected
