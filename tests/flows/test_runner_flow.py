"""``Runner``: flow files run from Python, in processes of their own."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowkit import Runner
from flowkit.enums import Status
from flowkit.exceptions import NotFoundError, RunFailed, UsageError

FLOW = """
import os
import threading

class Steps(FlowSpec):
    alpha = Parameter("alpha", default=1)
    ends = Parameter("ends", default="well")

    @step
    def start(self):
        print("alpha is", self.alpha)
        self.x = self.alpha * 2
        self.where = os.getcwd()
        self.next(self.end)

    @step
    def end(self):
        if self.ends == "badly":
            raise ValueError("no luck")
        if self.ends == "never":
            with open("begun", "w") as gate:
                gate.write("begun")
            threading.Event().wait()
"""


@pytest.fixture
def flow(program):
    return program(FLOW)


@pytest.fixture
def runner(flow):
    """A Runner in the store of the test, left at its end."""
    with Runner(flow.path, show_output=False, env=flow.environment(), cwd=flow.directory) as runner:
        yield runner


def wait_until_begun(flow):
    (flow.directory / "begun").read_text()


@pytest.fixture
def gate(flow):
    """The named pipe that a run which never ends writes to."""
    os.mkfifo(flow.directory / "begun")


def test_a_run_ends_well(flow, runner):
    result = runner.run(alpha=4, tags=["mine", "two words"])

    assert (result.status, result.returncode) == ("successful", 0)
    assert result.run.data.x == 8
    assert result.run.data.where == str(flow.directory)
    assert result.run.user_tags == {"mine", "two words"}
    assert "alpha is 4" in result.stdout
    assert result.stdout.endswith("Done!\n")
    assert "Validating your flow..." in result.stderr
    assert result.command_obj.command[:2] == [sys.executable, str(flow.path)]


def test_a_failed_run_does_not_raise(runner):
    result = runner.run(ends="badly")

    assert (result.status, result.returncode) == ("failed", 1)
    assert result.run.status is Status.FAILED
    assert "ValueError: no luck" in result.stderr


def test_the_output_is_shown_unless_that_is_not_wanted(flow, capsys):
    for show_output in (True, False):
        with Runner(flow.path, show_output=show_output, env=flow.environment()) as runner:
            runner.run()
        printed = capsys.readouterr()

        assert ("alpha is 1" in printed.out) is show_output
        assert ("Validating your flow" in printed.err) is show_output


def test_a_run_is_resumed_and_a_step_is_spun(flow, runner):
    failed = runner.run(alpha=3, ends="badly")
    text = flow.path.read_text()
    flow.path.write_text(text.replace('raise ValueError("no luck")', "self.mended = True"))

    resumed = runner.resume(origin_run_id=failed.run.id)
    spun, kept = runner.spin("end"), runner.spin(f"{failed.run.id}/start", persist=True)

    assert resumed.run.origin_pathspec == failed.run.pathspec
    assert resumed.run.data.mended
    assert (spun.status, kept.status) == ("successful", "successful")
    assert "mended [size:" in spun.stdout
    assert kept.task.data.x == 6
    with pytest.raises(NotFoundError, match="was not kept: spin it with persist=True"):
        spun.task  # noqa: B018


def test_arguments_are_checked_before_anything_is_started(flow, runner):
    with pytest.raises(ValueError, match="Unknown argument: 'beta', possible args are: alpha, "):
        runner.run(beta=1)
    with pytest.raises(TypeError, match="Invalid type for 'alpha': '4'"):
        runner.run(alpha="4")

    assert not (flow.directory / ".flowkit" / "flowkit.db").exists()


def test_top_level_options_stand_before_the_command(flow):
    with Runner(flow.path, False, env=flow.environment(), executor="inline", quiet=True) as runner:
        result = runner.run()

    assert result.command_obj.command[2:5] == ["--executor=inline", "--quiet", "run"]
    assert result.run.data.x == 2
    message = "Unknown argument: 'nope', possible args are: data"
    odd = Runner(flow.path, env=flow.environment(), nope=1)
    with pytest.raises(ValueError, match=message):
        odd.run()


def test_parameters_may_depend_on_configs(program):
    configured = program(
        """
        from flowkit import Config

        class Configured(FlowSpec):
            cfg = Config("cfg", required=True)
            depth = Parameter("depth", default=cfg.depth)

            @step
            def only(self):
                self.x = self.depth + self.cfg.depth
        """
    )
    with Runner(
        configured.path,
        show_output=False,
        env=configured.environment(),
        config_value=[("cfg", {"depth": 3})],
    ) as runner:
        assert runner.run().run.data.x == 6
        assert runner.run(depth=1).run.data.x == 4


def test_a_profile_chooses_settings(flow):
    (flow.directory / "flowkit.toml").write_text('[profile.other]\nuser = "ada"\n')
    env = {k: v for k, v in flow.environment().items() if k.startswith("FLOWKIT_HOME")}
    with Runner(flow.path, False, "other", env, flow.directory) as runner:
        assert runner.run().run["start"].task["x"].parent.parent.parent.tags >= {"user:ada"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("def broken(:", "SyntaxError"), ("print('no flow')", "has no flow")],
    ids=["syntax error", "no flow"],
)
def test_a_file_that_is_no_flow_is_refused_with_what_it_says(tmp_path, text, message):
    path = tmp_path / "odd.py"
    path.write_text(text)
    with Runner(path) as runner, pytest.raises(UsageError, match=message):
        runner.run()


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"flow file nowhere\.py does not exist"):
        Runner("nowhere.py")


def test_a_process_that_ends_before_its_run_begins_gives_its_stderr(runner):
    with pytest.raises(RunFailed, match=r"exit code 4 before its run began:[\s\S]*run id 99"):
        runner.resume(origin_run_id="99")


def test_a_process_that_starts_no_run_in_time_is_ended(flow):
    flow.path.write_text(
        flow.path.read_text().replace(
            "class Steps", 'if "run" in sys.argv: threading.Event().wait()\nclass Steps'
        ).replace("import os", "import os, sys", 1)
    )  # fmt: skip
    slow = Runner(flow.path, False, env=flow.environment(), file_read_timeout=0.2)
    with slow, pytest.raises(RunFailed, match=r"has started no run within 0\.2 s; it was ended"):
        slow.run()


def test_logs_lie_in_a_private_directory_and_go_with_the_runner(flow):
    with Runner(flow.path, show_output=False, env=flow.environment()) as runner:
        result = runner.run()
        directory = Path(result.command_obj.log_files["stdout"]).parent
        mode = stat.S_IMODE(directory.stat().st_mode)

    assert mode == 0o700
    assert not directory.exists()
    with pytest.raises(NotFoundError, match="was deleted when its Runner was left"):
        result.stdout  # noqa: B018
    assert result.run.data.x == 2


def test_a_run_goes_on_while_its_lines_come(flow, gate):
    async def main():
        async with Runner(flow.path, False, env=flow.environment(), cwd=flow.directory) as runner:
            result = await runner.async_run(ends="never")
            status = result.status
            lines = []
            async for position, line in result.stream_log("stdout"):
                lines.append((position, line))
                if "alpha is 1" in line:
                    break
            position = lines[-2][0]
            again = await anext(result.stream_log("stdout", position))
            await asyncio.to_thread(wait_until_begun, flow)
            return status, lines, again, result

    status, lines, again, result = asyncio.run(main())

    assert status == "running"
    assert lines[-1] == again
    assert [position for position, _ in lines] == sorted(position for position, _ in lines)
    assert result.returncode != 0
    assert result.run.status is Status.CANCELLED


def test_waiting_ends_with_the_run_and_writes_a_stream(flow, capsys):
    async def main():
        async with Runner(flow.path, show_output=False, env=flow.environment()) as runner:
            result = await runner.async_run()
            return await (await result.wait(stream="stdout")).wait()

    result = asyncio.run(main())

    assert result.status == "successful"
    assert "alpha is 1" in capsys.readouterr().out


def test_waiting_too_long_ends_the_run(flow, gate):
    async def main():
        async with Runner(flow.path, False, env=flow.environment(), cwd=flow.directory) as runner:
            result = await runner.async_run(ends="never")
            await asyncio.to_thread(wait_until_begun, flow)
            return await result.wait(timeout=0.1)

    result = asyncio.run(main())

    assert result.status == "timeout"
    assert result.run.status is Status.CANCELLED


def test_several_runs_go_on_at_once(flow):
    async def main():
        async with Runner(flow.path, show_output=False, env=flow.environment()) as runner:
            results = await asyncio.gather(*(runner.async_run(alpha=n) for n in (1, 2)))
            return [await result.wait() for result in results]

    results = asyncio.run(main())

    assert sorted(result.run.data.x for result in results) == [2, 4]


def test_an_unknown_stream_is_refused(runner):
    result = runner.run()

    async def first():
        async for line in result.stream_log("stdin"):
            return line
        return None

    with pytest.raises(UsageError, match="must be 'stdout' or 'stderr', not 'stdin'"):
        asyncio.run(first())


def test_an_interrupt_ends_the_run_as_well(flow, gate):
    script = flow.directory / "script.py"
    script.write_text(
        "from flowkit import Runner\n"
        f"with Runner({str(flow.path)!r}, show_output=False) as runner:\n"
        "    runner.run(ends='never')\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        env=flow.environment(),
        cwd=flow.directory,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        wait_until_begun(flow)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate()
        watchdog.cancel()

    assert "KeyboardInterrupt" in printed
    assert flow.read("Steps/1").status is Status.CANCELLED


def test_a_debugger_works_in_an_inline_run_of_a_script(flow):
    script = flow.directory / "script.py"
    script.write_text(
        "import flowkit\nfrom flowkit import FlowSpec, step\n\n"
        "class Stops(FlowSpec):\n    @step\n    def only(self):\n        self.x = 1\n"
        "        breakpoint()\n        self.y = self.x + 1\n\n"
        "print('y is', flowkit.run(Stops).data.y)\n"
    )
    outcome = subprocess.run(
        [sys.executable, str(script)],
        env=flow.environment(),
        cwd=flow.directory,
        input="self.x = 41\nc\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "y is 42" in outcome.stdout, outcome.stderr
