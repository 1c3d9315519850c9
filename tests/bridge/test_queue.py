"""The queue against a plain list: nothing lost, urgent first, and every session gets its share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from bridge.messages import Priority
from bridge.queue import FairQueue

SESSIONS = st.sampled_from(["ann", "bob", "cy"])
PRIORITIES = st.sampled_from(list(Priority))
URGENCY = {priority: index for index, priority in enumerate(Priority)}


class QueueMachine(RuleBasedStateMachine):
    """Any sequence of calls leaves the queue holding exactly what a list would, and gives the most urgent first."""

    running: Bundle[str] = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue()
        self.plain: list[tuple[str, str, Priority]] = []
        self.count = 0

    @rule(session=SESSIONS, priority=PRIORITIES)
    def put(self, session: str, priority: Priority) -> None:
        self.count += 1
        self.queue.put(f"job{self.count}", session, priority)
        self.plain.append((f"job{self.count}", session, priority))

    @rule(target=running)
    def take(self) -> str | MultipleResults[str]:
        job_id = self.queue.take()
        if job_id is None:
            assert not self.plain
            return multiple()
        (row,) = [row for row in self.plain if row[0] == job_id]
        assert URGENCY[row[2]] == min(URGENCY[other[2]] for other in self.plain)
        own = [other[0] for other in self.plain if other[1:] == row[1:]]
        assert own[0] == job_id, "a session's jobs of one class keep their order"
        self.plain.remove(row)
        return f"{job_id}/{row[1]}/{row[2]}"

    @rule(taken=consumes(running), secs=st.floats(0, 100))
    def settle(self, taken: str, secs: float) -> None:
        self.queue.settle(taken.split("/")[0], secs)

    @rule(taken=consumes(running))
    def put_back(self, taken: str) -> None:
        job_id, session, priority = taken.split("/")
        self.queue.settle(job_id, 0.0)
        self.queue.put(job_id, session, Priority(priority), first=True)
        self.plain.insert(0, (job_id, session, Priority(priority)))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.plain:
            row = data.draw(st.sampled_from(self.plain))
            assert self.queue.remove(row[0])
            self.plain.remove(row)
        assert not self.queue.remove("nobody")

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.queue) == len(self.plain)
        sessions = Counter(row[1] for row in self.plain)
        assert all(self.queue.waiting(name) == sessions[name] for name in ("ann", "bob", "cy"))
        classes = Counter(row[2] for row in self.plain)
        assert self.queue.by_class() == {priority: classes[priority] for priority in Priority}
        assert all(row[0] in self.queue for row in self.plain)
        for session in ("ann", "bob", "cy"):
            for priority in Priority:
                assert 0 <= self.queue.ahead(session, priority) <= len(self.plain)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    costs=st.dictionaries(SESSIONS, st.floats(0.05, 5.0), min_size=2, max_size=3),
    rounds=st.integers(30, 120),
)
@settings(max_examples=60, deadline=None)
def test_device_time_is_shared_evenly_whatever_a_job_costs(costs: dict[str, float], rounds: int) -> None:
    """With one device, sessions that always have work differ by no more than one job of theirs and the guess."""
    queue = FairQueue()
    spent = dict.fromkeys(costs, 0.0)
    owner: dict[str, str] = {}
    for session in costs:
        for number in range(rounds):
            owner[f"{session}{number}"] = session
            queue.put(f"{session}{number}", session, Priority.FINAL)
    for _ in range(rounds):
        job_id = queue.take()
        assert job_id is not None
        session = owner[job_id]
        queue.settle(job_id, costs[session])
        spent[session] += costs[session]
    most = max(costs.values())
    assert max(spent.values()) - min(spent.values()) <= 2 * most + 1e-6


def test_a_session_that_comes_back_does_not_lock_the_others_out() -> None:
    queue = FairQueue()
    for number in range(50):
        queue.put(f"busy{number}", "busy", Priority.FINAL)
        taken = queue.take()
        assert taken is not None
        queue.settle(taken, 1.0)
    for number in range(10):
        queue.put(f"busy again{number}", "busy", Priority.FINAL)
        queue.put(f"new{number}", "new", Priority.FINAL)
    order = []
    for _ in range(10):
        taken = queue.take()
        assert taken is not None
        order.append(taken.rstrip("0123456789"))
        queue.settle(taken, 1.0)
    assert 4 <= order.count("new") <= 6


def test_ahead_counts_what_goes_before() -> None:
    queue = FairQueue()
    for number in range(5):
        queue.put(f"other{number}", "other", Priority.FINAL)
    queue.put("urgent", "other", Priority.LIVE)
    queue.put("mine", "me", Priority.FINAL)
    assert queue.ahead("me", Priority.FINAL) == 2
    assert queue.ahead("other", Priority.FINAL) == 1 + 4 + 1
