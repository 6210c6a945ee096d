"""A wide foreach whose results may be reused; its steps reach functions of this module."""

from flowkit import FlowSpec, Parameter, step

RATES = {"low": 1, "high": [2, 3]}


class Model:
    def __init__(self, bias):
        self.bias = bias

    def predict(self, x):
        return scaled(x) + self.bias


def scaled(x):
    return shifted(x) * RATES["low"]


def shifted(x):
    return x + 1


class Cached(FlowSpec):
    items = Parameter("items", default=10)

    @step
    def start(self):
        self.numbers = range(self.items)
        self.factor = 2
        self.next(self.each, foreach="numbers")

    @step
    def each(self):
        self.y = Model(self.factor).predict(self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(scaled(i.y) for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        self.x = shifted(self.total)


if __name__ == "__main__":
    Cached()
