"""What happens to workers on a real cluster: the code, who pays, what the owner is shown, the end.

All faults happen in one site, many at a time: what may pass by itself is believed after minutes.
"""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.cluster.disrupting import disrupting
from tests.cluster.faults import (
    BELIEVED_SECONDS,
    FAULTS,
    Fault,
    Outcome,
    budget_paid,
    import_ends,
    pipelines,
    quota,
    until_told,
)
from tests.cluster.given import GivenCluster
from tests.cluster.site import ClusterSite, cluster_site, until
from tests.cluster.witness import Witness, watching, what_is_wrong
from tests.fakes.separate import Program
from tests.fakes.site import PLUGINS
from videoannotator.domain.failures import RULES

HERE = Path(__file__).parent
AT_ONCE = 8
ENDED = ("completed", "failed", "cancelled")
ENVIRON = {
    "PYTHONPATH": os.pathsep.join(map(str, (PLUGINS, HERE / "plugins", HERE / "broken"))),
    "VIDEOANNOTATOR_SCHEDULER__MAX_WORKERS": str(AT_ONCE),
    "VIDEOANNOTATOR_RETRY__INFRASTRUCTURE_FAILURES": "1",
}


@pytest.fixture(scope="module")
def outcomes(
    cluster: GivenCluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Mapping[str, "Future[Outcome]"]]:
    """Every fault that was asked for, at work."""
    asked = [item.name for item in request.session.items if item.path == Path(__file__)]
    faults = {
        name: one for name, one in FAULTS.items() if any(f"[{name}]" in each for each in asked)
    }
    import_ends(cluster, tmp_path_factory.mktemp("ends"))
    with cluster_site(cluster) as site:
        file = site.root.parent / "site.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "pipelines": pipelines()}))
        site.kubectl("apply", "-f", "-", given=json.dumps(quota(0)))
        api = site.api(**ENVIRON).ready()
        site.scheduler(**ENVIRON).ready()
        with watching(site) as witness, ThreadPoolExecutor(AT_ONCE) as pool:
            yield {
                name: pool.submit(happens, site, api, witness, fault)
                for name, fault in faults.items()
            }


def happens(site: ClusterSite, api: Program, witness: Witness, fault: Fault) -> Outcome:
    """Lets one fault happen, and waits for the end."""
    assert site.cluster is not None
    alone = disrupting(site.cluster) if fault.alone else nullcontext()
    with alone, ThreadPoolExecutor(1) as acting:
        job = site.submit(api, pipeline=fault.pipeline, **fault.parameters)
        done = acting.submit(fault.act, site, job)
        code, hint = until_told(site, api, job, fault)
        done.result()
    (seconds,) = (
        each["seconds"]
        for each in site.rows(
            "SELECT extract(epoch FROM now() - min(workers.created_at)) AS seconds "
            "FROM workers WHERE job_id = %s",
            job,
        )
    )
    if fault.cancelled:
        site.cancel(api, job)
    site.until_state(job, *ENDED, seconds=BELIEVED_SECONDS)
    site.until_gone(job, seconds=BELIEVED_SECONDS)
    until(lambda: not what_is_wrong(site, witness, job), lambda: site.told(job), 60.0)
    return Outcome(
        code=code,
        budget=budget_paid(site, job),
        hint=hint,
        state=site.state(job),
        attempts=len(site.attempts(job)),
        seconds=float(seconds),
        wrong=what_is_wrong(site, witness, job),
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_as_what_it_is_paid_for_by_whom_it_concerns_and_loses_nothing(
    name: str, outcomes: Mapping[str, "Future[Outcome]"], capsys: pytest.CaptureFixture[str]
) -> None:
    fault, came = FAULTS[name], outcomes[name].result(timeout=900)

    with capsys.disabled():
        print(
            f"\n{name:36}{came.code or 'waits':22}{came.budget:16}{came.state:11}"
            f"{came.attempts} attempts {came.seconds:6.1f} s  {came.hint}"
        )
    assert came.code == (fault.code or "")
    assert came.budget == fault.budget
    assert came.state == fault.state
    assert words_of(fault) in came.hint
    assert came.wrong == []


def words_of(fault: Fault) -> str:
    """What the owner must be shown."""
    return fault.waits or fault.hint or (RULES[fault.code].hint if fault.code else "")
