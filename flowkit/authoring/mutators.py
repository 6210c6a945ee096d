"""Mutators: classes that change a flow's parameters and decorators before its graph is built.

A `FlowDef` is frozen. A mutator works on a view that builds up the next one; the flow class is
never touched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from flowkit.authoring.config_values import is_lazy
from flowkit.authoring.decorators import (
    DeferredFlowDecorator,
    FlowDecorator,
    StepDecorator,
    kind_of,
)
from flowkit.authoring.decospecs import from_decospec, made, step_decorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.userdecorators import Initialized, InitializedStepDecorator
from flowkit.exceptions import (
    DefinitionError,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    FlowkitError,
)
