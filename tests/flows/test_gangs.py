"""Gangs whose members fail, through the real command line."""

from flowkit import Task

GANG = """
    import os, time
    from pathlib import Path
    from flowkit import parallel


    def meet(where, rank, size):
        Path(where, str(rank)).touch()
        while len(os.listdir(where)) < size:
            time.sleep(0.01)


    class Gang(FlowSpec):
        where = Parameter("where")

        @step
        def start(self):
            self.next(self.train, num_parallel=3)

        @retry(times=1, minutes_between_retries=0.001)
        @parallel
        @step
        def train(self):
            place, attempt = current.parallel, current.retry_count
            meeting = f"{self.where}/{attempt}"
            os.makedirs(meeting, exist_ok=True)
            if place.node_index == 2 and attempt == 0:
                meet(meeting, "peers", 2)  # one of them has been there
                raise ConnectionError("the network is down")
            if place.node_index == 0 or attempt:
                meet(meeting, place.node_index, place.num_nodes)
            self.told = attempt
            self.next(self.join)

        @step
        def join(self, inputs):
            self.told = [each.told for each in inputs]
            self.next(self.end)

        @step
        def end(self):
            print(self.told)
"""


def test_when_a_member_of_a_gang_fails_all_members_start_again(program):
    flow = program(GANG)

    outcome, run = flow.run("--where", str(flow.directory))

    assert outcome.lines[-1] == "[1, 1, 1]"
    assert "Task was stopped." in outcome.out
    assert [task.current_attempt for task in run["train"]] == [1, 1, 1]
    assert {Task(task.pathspec, attempt=0).successful for task in run["train"]} == {True, False}
    assert [task.index for task in run["join"].task.parent_tasks] == [0, 1, 2]
