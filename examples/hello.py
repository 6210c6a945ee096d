"""The smallest flow: three steps, a parameter and an artifact.

Run it with ``python examples/hello.py run --name Ada``, then read what it made from anywhere::

    from flowkit import Flow

    print(Flow("Hello").latest_successful_run.data.greeting)
"""

from flowkit import FlowSpec, Parameter, current, step


class Hello(FlowSpec):
    """Greets somebody."""

    person = Parameter("name", default="world", help="Whom to greet.")

    @step
    def start(self):
        """Say which run this is."""
        print(f"This is run {current.run_id} of {current.flow_name}.")
        self.next(self.hello)

    @step
    def hello(self):
        """Whatever is assigned to self is an artifact: stored, versioned, there in later steps."""
        self.greeting = f"Hello, {self.person}!"
        self.next(self.end)

    @step
    def end(self):
        """Use the artifact."""
        print(self.greeting)


if __name__ == "__main__":
    Hello()
