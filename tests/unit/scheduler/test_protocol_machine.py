"""Any order of losses, duplicates, failovers and restarts ends in a legal state with slots free."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.fakes.world import World

MOST_JOBS = 3


class Protocol(RuleBasedStateMachine):
    """Steps of people, leaders, the cluster and bad luck, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.take_over()

    # --- what should happen

    @precondition(lambda self: self.world.made < MOST_JOBS)
    @rule(runs=st.integers(1, 2))
    def submit(self, runs: int) -> None:
        self.world.submit(runs)

    @rule(leader=st.integers(0, 3), times=st.integers(1, 3))
    def tick(self, leader: int, times: int) -> None:
        who = self.world.leaders[-1 - leader % len(self.world.leaders)]
        for _ in range(times):
            self.world.tick(who)

    @rule(leader=st.integers(0, 3))
    def send_creates(self, leader: int) -> None:
        self.world.send_creates(self.world.leaders[-1 - leader % len(self.world.leaders)])

    @rule(leader=st.integers(0, 3))
    def keep_alive(self, leader: int) -> None:
        self.world.keep_alive(self.world.leaders[-1 - leader % len(self.world.leaders)])

    @rule()
    def kubelet(self) -> None:
        self.world.kubelet()

    @rule()
    def work(self) -> None:
        self.world.work()

    @rule(seconds=st.sampled_from([1, 5, 14, 31, 80, 130, 605, 700, 3100]))
    def time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(steps=st.integers(1, 6))
    def everything_goes_well(self, steps: int) -> None:
        for _ in range(steps):
            self.well()

    def well(self) -> None:
        leader = self.world.leaders[-1]
        for step in (self.world.tick, self.world.send_creates, self.world.keep_alive):
            step(leader)
        self.world.kubelet()
        self.world.work()
        self.world.pass_time(2)
        self.check()

    # --- people

    @precondition(lambda self: self.world.jobs)
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        self.world.want(self._job(which), cancel_requested_at=self.world.now)

    @precondition(lambda self: self.world.jobs)
    @rule(which=st.integers(0, 9))
    def delete(self, which: int) -> None:
        self.world.want(self._job(which), delete_requested_at=self.world.now)

    @precondition(lambda self: self.world.pods)
    @rule(which=st.integers(0, 9))
    def abandon(self, which: int) -> None:
        self.world.abandon(self._pod(which).worker_id)

    # --- bad luck

    @rule()
    def take_over(self) -> None:
        self.world.take_over()

    @rule()
    def leader_freezes(self) -> None:
        self.world.leaders[-1].frozen = True
        self.world.take_over()

    @rule(which=st.integers(0, 3))
    def leader_wakes(self, which: int) -> None:
        self.world.leaders[-1 - which % len(self.world.leaders)].frozen = False

    @rule()
    def leader_is_cut_off(self) -> None:
        self.world.leaders[-1].cut = True
        self.world.take_over()

    @rule(blind=st.booleans())
    def watch_breaks_or_heals(self, blind: bool) -> None:
        self.world.blinded(self.world.leaders[-1], blind)

    @rule(fate=st.sampled_from(["lost", "late"]))
    def next_create(self, fate: str) -> None:
        self.world.create_fate = fate

    @rule(fate=st.sampled_from(["failed", "dead"]))
    def next_work(self, fate: str) -> None:
        self.world.work_fate = fate

    @precondition(lambda self: self.world.pods)
    @rule(which=st.integers(0, 9), cut=st.booleans())
    def node_is_cut_off_or_heals(self, which: int, cut: bool) -> None:
        self._pod(which).cut = cut

    @precondition(lambda self: self.world.pods)
    @rule(which=st.integers(0, 9))
    def process_dies(self, which: int) -> None:
        self._pod(which).process = "dead"

    @precondition(lambda self: self.world.pods)
    @rule(which=st.integers(0, 9))
    def somebody_force_deletes_the_object(self, which: int) -> None:
        self._pod(which).object = False

    @rule(which=st.integers(0, 3))
    def messages_are_lost(self, which: int) -> None:
        self.world.leaders[-1 - which % len(self.world.leaders)].inbox.clear()

    @rule(which=st.integers(0, 3))
    def messages_come_twice(self, which: int) -> None:
        inbox = self.world.leaders[-1 - which % len(self.world.leaders)].inbox
        inbox += list(inbox)

    # --- promises

    @invariant()
    def check(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """Without further faults, and without help from people, everything ends."""
        for pod in self.world.pods.values():
            pod.cut = False
        self.world.take_over()
        for _ in range(400):
            self.well()
            if self.world.settled():
                return
            if not self.world.late:
                self.world.pass_time(20)
        raise AssertionError(f"never ends: {self.world.jobs}")

    def _job(self, which: int) -> str:
        names = sorted(self.world.jobs)
        return names[which % len(names)]

    def _pod(self, which: int):  # type: ignore[no-untyped-def]
        pods = list(self.world.pods.values())
        return pods[which % len(pods)]


Protocol.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestProtocol = Protocol.TestCase
