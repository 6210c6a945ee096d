"""Twenty trivial steps in a row."""

from flowkit import FlowSpec, step


class Chain(FlowSpec):
    @step
    def start(self):
        self.next(self.step_01)

    @step
    def step_01(self):
        self.x = 1
        self.next(self.step_02)

    @step
    def step_02(self):
        self.x = 2
        self.next(self.step_03)

    @step
    def step_03(self):
        self.x = 3
        self.next(self.step_04)

    @step
    def step_04(self):
        self.x = 4
        self.next(self.step_05)

    @step
    def step_05(self):
        self.x = 5
        self.next(self.step_06)

    @step
    def step_06(self):
        self.x = 6
        self.next(self.step_07)

    @step
    def step_07(self):
        self.x = 7
        self.next(self.step_08)

    @step
    def step_08(self):
        self.x = 8
        self.next(self.step_09)

    @step
    def step_09(self):
        self.x = 9
        self.next(self.step_10)

    @step
    def step_10(self):
        self.x = 10
        self.next(self.step_11)

    @step
    def step_11(self):
        self.x = 11
        self.next(self.step_12)

    @step
    def step_12(self):
        self.x = 12
        self.next(self.step_13)

    @step
    def step_13(self):
        self.x = 13
        self.next(self.step_14)

    @step
    def step_14(self):
        self.x = 14
        self.next(self.step_15)

    @step
    def step_15(self):
        self.x = 15
        self.next(self.step_16)

    @step
    def step_16(self):
        self.x = 16
        self.next(self.step_17)

    @step
    def step_17(self):
        self.x = 17
        self.next(self.step_18)

    @step
    def step_18(self):
        self.x = 18
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Chain()
