"""A foreach over trivial items, then a join, then a last step that may be told to fail."""

from flowkit import FlowSpec, Parameter, step


class Fan(FlowSpec):
    width = Parameter("width", default=1000)
    fail_file = Parameter("fail-file", default="")

    @step
    def start(self):
        self.items = list(range(self.width))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.y = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(each.y for each in inputs)
        self.next(self.end)

    @step
    def end(self):
        if self.fail_file:
            open(self.fail_file).close()


if __name__ == "__main__":
    Fan()
