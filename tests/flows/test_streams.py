"""Standard streams that are closed, full, or not read to their end: the run goes on."""

import pytest

FLOW = """
    class Chatty(FlowSpec):
        @step
        def start(self):
            print("word " * 30_000)
            self.next(self.end)

        @step
        def end(self):
            print("the end")
"""


def shell(flow, redirection, *options):
    """Run the flow with its streams redirected by a shell."""
    script = f'exec "$@" {redirection}'
    return flow.execute(["sh", "-c", script, "sh", *flow.command(*options, "run")])


@pytest.mark.parametrize("executor", ["local", "spawn", "inline"])
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_run_succeeds_whatever_streams_its_caller_has_closed(program, closed, executor):
    flow = program(FLOW)

    outcome = shell(flow, closed, "--executor", executor)

    assert (outcome.code, "Traceback" in outcome.err) == (0, False)
    assert flow.read("Chatty").latest_run.successful


def test_a_run_goes_on_when_stdout_can_not_be_written(program):
    flow = program(FLOW)

    outcome = shell(flow, ">/dev/full")

    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == (
        "stdout can't be written any more (No space left on device); the run goes on, see its logs"
    )


def test_a_run_goes_on_when_nobody_reads_any_of_its_output(program):
    flow = program(FLOW)
    with flow.started("run") as process:
        process.stderr.readline()
        process.stdout.close()
        process.stderr.close()
        code = process.wait()

    assert code == 0
    assert flow.read("Chatty").latest_run.successful
