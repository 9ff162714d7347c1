"""States as numbers of the contracts: every one has its own, under the same word."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from videoannotator.api.servicers.pipeline_messages import READINESS
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import JobState, RunState
from videoannotator.domain.pipelines import Stability
from videoannotator.pipelines.catalogue import Readiness
from videoannotator.rpc import convert, states
from videoannotator.v1 import job_pb2, log_pb2, pipeline_pb2

TABLES = [
    (states.JOB_STATES, JobState, job_pb2.JobState),
    (states.RUN_STATES, RunState, job_pb2.RunState),
    (states.STABILITIES, Stability, pipeline_pb2.Stability),
    (READINESS, Readiness, pipeline_pb2.Readiness),
]


@pytest.mark.parametrize(("table", "kind", "numbers"), TABLES)
def test_a_table_is_total_both_ways(
    table: Mapping[Any, int], kind: type[Enum], numbers: Any
) -> None:
    assert set(table) == set(kind)
    assert set(table.values()) == set(numbers.values()) - {0}


@pytest.mark.parametrize(("table", "kind", "numbers"), TABLES)
def test_a_number_has_the_word_of_its_state(
    table: Mapping[Any, int], kind: type[Enum], numbers: Any
) -> None:
    for state, number in table.items():
        assert numbers.Name(number).endswith("_" + state.value.upper())


def test_every_event_has_its_kind_and_heartbeats_have_their_own() -> None:
    named = {number: kind.value for kind, number in states.EVENT_KINDS.items()}

    assert set(states.EVENT_KINDS) == set(EventKind)
    for number in set(job_pb2.EventKind.values()) - {0, job_pb2.EVENT_KIND_HEARTBEAT}:
        word = job_pb2.EventKind.Name(number).removeprefix("EVENT_KIND_").lower()
        assert named[number] == f"job.{word}"


@pytest.mark.parametrize(
    ("table", "back"),
    [
        (states.JOB_STATES, states.JOB_STATES_BACK),
        (convert.LEVELS, convert.LEVEL_NAMES),
    ],
)
def test_the_way_back_leads_where_it_came_from(
    table: Mapping[Any, int], back: Mapping[int, Any]
) -> None:
    assert {state: back[number] for state, number in table.items()} == {
        state: state for state in table
    }


def test_every_level_has_its_word() -> None:
    assert set(convert.LEVELS.values()) == set(log_pb2.LogLevel.values()) - {0}
