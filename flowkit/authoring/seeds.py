"""The state of Python's random generator before user code runs.

By it an executor sees whether a flow file has seeded ``random``: such a seed holds in each task,
as it would if each task were an interpreter of its own.
"""

import random

UNSEEDED = random.getstate()
