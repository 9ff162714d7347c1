"""What the scheduler tells of its queue arrives as it was sent."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from videoannotator.rpc.queue import Queue, Slot, Waiting, queue_from, queue_to

WORDS = st.text(max_size=20)
COUNTS = st.integers(0, 2**31 - 1)
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
QUEUES = st.builds(
    Queue,
    waiting=st.lists(
        st.builds(
            Waiting,
            run_id=WORDS,
            job_id=WORDS,
            owner_id=WORDS,
            pipeline=WORDS,
            position=COUNTS,
            reason=WORDS,
        ),
        max_size=3,
    ).map(tuple),
    slots=st.lists(
        st.builds(
            Slot,
            worker_id=WORDS,
            run_id=WORDS,
            job_id=WORDS,
            owner_id=WORDS,
            pipeline=WORDS,
            state=WORDS,
            since=TIMES,
            gpus=COUNTS,
            unproven_since=st.none() | TIMES,
        ),
        max_size=3,
    ).map(tuple),
    max_workers=COUNTS,
    max_gpu_workers=COUNTS,
    epoch=COUNTS,
    draining=st.booleans(),
    ticked_at=st.none() | TIMES,
    trouble=WORDS,
)


@given(QUEUES)
def test_a_queue_makes_the_way_there_and_back(queue: Queue) -> None:
    sent = queue_to(queue).SerializeToString()

    assert queue_from(type(queue_to(queue)).FromString(sent)) == queue
