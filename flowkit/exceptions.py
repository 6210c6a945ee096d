"""Every exception that flowkit raises, in one tree; this module imports nothing.

::

    FlowkitError
    ├── UsageError                              exit 2: the command line or a call is wrong
    │   ├── ParameterError
    │   │   ├── ParameterFieldFailed
    │   │   └── ParameterFieldTypeMismatch
    │   ├── CommandException
    │   └── UnknownUser
    ├── DefinitionError                         exit 1: the flow class is wrong
    │   ├── LintError
    │   ├── BadStepDecoratorException
    │   ├── BadFlowDecoratorException
    │   ├── DuplicateStepDecoratorException
    │   ├── DuplicateFlowDecoratorException
    │   ├── UnknownStepDecoratorException
    │   ├── UnknownFlowDecoratorException
    │   └── InvalidDecoratorAttribute
    ├── RunFailed                               exit 1: a step failed terminally
    │   └── TaskFailed
    ├── InvalidNextException                    a step's transition is wrong
    ├── MergeError
    │   ├── UnhandledInMergeArtifactsException
    │   └── MissingInMergeArtifactsException
    ├── TimeoutException                        a step ran longer than it may
    ├── FailureHandledByCatch                   the process of a step that has @catch died
    ├── SecretError                             a secret can't be had
    ├── MulticoreException                      a child of parallel_map failed
    ├── InvalidNameError (ValueError)           exit 3: a name that flowkit does not accept
    │   ├── InvalidPathspecError
    │   └── TaggingError
    ├── NotFoundError (LookupError)             exit 4: no such flow, run, step, task, artifact
    │   ├── DataMissingError
    │   │   └── BlobMissing
    │   └── NamespaceMismatchError
    ├── IntegrityError                          exit 5: stored bytes are not what was written
    │   ├── BlobCorrupted
    │   └── ArtifactCorrupted
    ├── ArtifactError                           a value that can't be stored or loaded
    │   ├── UnpicklableArtifactException (TypeError)
    │   ├── ArtifactTypeError (TypeError)
    │   └── ArtifactUnloadable
    ├── StorageError (OSError)                  exit 6: the content store can't be used
    │   └── S3Exception                         a request to S3 failed
    │       ├── S3NotFound (LookupError)
    │       │   └── S3BucketNotFound
    │       ├── S3AccessDenied
    │       ├── S3ObjectChanged
    │       ├── S3URLException (ValueError)
    │       ├── S3InvalidObject
    │       ├── S3InvalidRange
    │       └── S3InsufficientDiskSpace
    ├── MetadataError                           exit 7: the metadata can't be used
    │   └── SchemaTooNew
    ├── ConflictError                           exit 8: somebody else holds it
    │   ├── VersionExistsError                  an artifact version never changes
    │   ├── VersionInUseError                   an artifact version is still used
    │   └── RunInUseError                       a run is still referred to
    ├── FencedError                             exit 75: another driver has taken this run over
    ├── Interrupted                             exit 130 / 143: Ctrl-C, SIGTERM
    └── InternalError                           a bug in flowkit

    ExceptionWrapper                            what a step raised, as text; an artifact
"""

from collections.abc import Sequence


class FlowkitError(Exception):
    """Base of everything flowkit raises; catch it to catch them all."""

    headline = "Flow failed"
    exit_code = 1

    def __init__(
        self, message: str = "", lineno: int | None = None, source_file: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line_no = lineno
        self.source_file = source_file

    def __str__(self) -> str:
        if self.line_no is None:
            return self.message
        return f"line {self.line_no}: {self.message}"


class UsageError(FlowkitError):
    """The command line or a call has an argument that can't be used."""

    headline = "Usage error"
    exit_code = 2


class ParameterError(UsageError):
    """A parameter's value can't be used."""

    headline = "Invalid parameter"


class _ParameterFieldError(ParameterError):
    """A field of a parameter that is a function went wrong."""

    def __init__(self, name: str, field: str, reason: str = "") -> None:
        because = f": {reason}" if reason else ""
        super().__init__(f"{self.headline.lower()}: '{field}' of parameter '{name}'{because}")
        self.name = name
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.field), {"message": self.message, "args": self.args})


class ParameterFieldFailed(_ParameterFieldError):
    """A function given as a parameter's field raised."""

    headline = "Parameter field failed"


class ParameterFieldTypeMismatch(_ParameterFieldError):
    """A function given as a parameter's field returned a value of another type."""

    headline = "Parameter field type mismatch"


class CommandException(UsageError):
    """A command can't do what was asked."""

    headline = "Invalid command"


class UnknownUser(UsageError):
    """The user's name could not be determined."""

    headline = "Unknown user"


class DefinitionError(FlowkitError):
    """A flow class is defined in a way that can't work."""

    headline = "Invalid flow"


class LintError(DefinitionError):
    """The flow's graph breaks one or more rules; ``problems`` has them all."""

    headline = "Validity checker found an issue"

    def __init__(self, message: str = "", problems: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class BadStepDecoratorException(DefinitionError):
    """A step decorator stands where it can't."""

    headline = "Syntax error"


class BadFlowDecoratorException(DefinitionError):
    """A flow decorator stands where it can't."""

    headline = "Syntax error"


class DuplicateStepDecoratorException(DefinitionError):
    """A step carries the same decorator twice."""

    headline = "Duplicate decorators"


class DuplicateFlowDecoratorException(DefinitionError):
    """A flow carries the same decorator twice."""

    headline = "Duplicate decorators"


class UnknownStepDecoratorException(DefinitionError):
    """No step decorator has this name."""

    headline = "Unknown step decorator"


class UnknownFlowDecoratorException(DefinitionError):
    """No flow decorator has this name."""

    headline = "Unknown flow decorator"


class InvalidDecoratorAttribute(DefinitionError):
    """A decorator got an attribute that it doesn't have."""

    headline = "Unknown decorator attribute"


class RunFailed(FlowkitError):
    """A run ended because a step failed terminally."""

    headline = "Step failure"


class TaskFailed(RunFailed):
    """One task failed terminally."""


class InvalidNextException(FlowkitError):
    """A step's call of ``self.next`` is missing, repeated or wrong."""

    headline = "Invalid self.next() transition detected"


class MergeError(FlowkitError):
    """``merge_artifacts`` can't do its work; ``artifact_names`` says on what."""

    headline = "Artifacts can't be merged"

    def __init__(self, message: str = "", artifact_names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.artifact_names = list(artifact_names)


class UnhandledInMergeArtifactsException(MergeError):
    """Artifacts differ between the inputs of a join and nobody said which one to take."""

    headline = "Unhandled artifacts in merge"


class MissingInMergeArtifactsException(MergeError):
    """Artifacts named in ``include`` are on none of the inputs."""

    headline = "Missing artifacts in merge"


class TimeoutException(FlowkitError):
    """A step ran longer than its ``@timeout`` allows."""

    headline = "@timeout"


class FailureHandledByCatch(FlowkitError):
    """The process of a step died, and its ``@catch`` took the failure."""

    headline = "@catch"


class SecretError(FlowkitError):
    """A secret can't be had; the message never has a value."""

    headline = "Secret unavailable"


class MulticoreException(FlowkitError):
    """A child process of ``parallel_map`` failed."""

    headline = "Multicore exception"


class InvalidNameError(FlowkitError, ValueError):
    """A name that flowkit does not accept."""

    headline = "Invalid name"
    exit_code = 3


class InvalidPathspecError(InvalidNameError):
    """A pathspec that is not of the form Flow/run/step/task/artifact."""

    headline = "Invalid pathspec"


class TaggingError(InvalidNameError):
    """Tags that can't be added or removed."""

    headline = "Tagging error"


class NotFoundError(FlowkitError, LookupError):
    """There is no such object."""

    headline = "Object not found"
    exit_code = 4


class DataMissingError(NotFoundError):
    """An object is there, its data isn't."""

    headline = "Data missing"


class BlobMissing(DataMissingError):
    """The content store has no blob under this digest."""

    def __init__(self, message: str = "", digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


class NamespaceMismatchError(NotFoundError):
    """The object is there, but not in the current namespace."""

    headline = "Object not in the current namespace"

    def __init__(self, namespace: str) -> None:
        super().__init__(f"object not in namespace '{namespace}'")
        self.namespace = namespace


class IntegrityError(FlowkitError):
    """Stored bytes are not what was written."""

    headline = "Integrity error"
    exit_code = 5


class BlobCorrupted(IntegrityError):
    """A blob's bytes don't match its digest or its format."""

    def __init__(self, message: str = "", digest: str = "", location: str = "") -> None:
        super().__init__(message)
        self.digest = digest
        self.location = location


class ArtifactCorrupted(IntegrityError):
    """An artifact's stored bytes are damaged; the message names run, step, task and artifact."""


class ArtifactError(FlowkitError):
    """A value can't be stored or loaded as an artifact."""

    headline = "Data error"


class UnpicklableArtifactException(ArtifactError, TypeError):
    """A value can't be stored; the message names the attribute and the offending object."""

    headline = "Cannot store artifact"


class ArtifactTypeError(ArtifactError, TypeError):
    """A step assigned a value of another type than the flow declares for the attribute."""

    headline = "Wrong type"


class ArtifactUnloadable(ArtifactError):
    """A stored value can't be rebuilt in this environment."""

    headline = "Cannot load artifact"


class StorageError(FlowkitError, OSError):
    """The content store can't be reached, read or written."""

    headline = "Storage unavailable"
    exit_code = 6


class S3Exception(StorageError):
    """A request to S3 failed; the message never has a secret."""

    headline = "S3 access failed"


class S3NotFound(S3Exception, LookupError):
    """There is no object under this key."""

    headline = "S3 object not found"


class S3BucketNotFound(S3NotFound):
    """There is no such bucket."""


class S3AccessDenied(S3Exception):
    """S3 does not accept the credentials, or they don't allow what was asked for."""

    headline = "S3 access denied"


class S3ObjectChanged(S3Exception):
    """The object was replaced while it was being read."""


class S3URLException(S3Exception, ValueError):
    """A URL, bucket or key that can't be used here."""

    headline = "Invalid S3 URL"


class S3InvalidObject(S3Exception):
    """What was given as an object for S3 is none."""

    headline = "Not a string-like object"


class S3InvalidRange(S3Exception):
    """The object has no such range of bytes."""

    headline = "Invalid S3 range"


class S3InsufficientDiskSpace(S3Exception):
    """The downloaded objects don't fit the local disk."""

    headline = "Insufficient disk space"


class MetadataError(FlowkitError):
    """The metadata store can't be reached, read or written."""

    headline = "Metadata unavailable"
    exit_code = 7


class SchemaTooNew(MetadataError):
    """The store was written by a newer flowkit."""


class ConflictError(FlowkitError):
    """Somebody else holds what was asked for."""

    headline = "Conflict"
    exit_code = 8


class VersionExistsError(ConflictError):
    """A version of an artifact exists already with other content, or once did."""

    headline = "Artifact version exists"


class VersionInUseError(ConflictError):
    """A version of an artifact can't be deleted; ``users`` says what uses it."""

    headline = "Artifact version in use"

    def __init__(self, message: str = "", users: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.users = tuple(users)


class RunInUseError(ConflictError):
    """A run can't be deleted; ``users`` says what refers to it."""

    headline = "Run in use"

    def __init__(self, message: str = "", users: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.users = tuple(users)


class FencedError(FlowkitError):
    """Another driver has taken this run over; this one must stop."""

    headline = "Run taken over"
    exit_code = 75


class Interrupted(FlowkitError):
    """The user or the system asked the run to stop."""

    headline = "Workflow interrupted"
    exit_code = 130

    def __init__(self, message: str = "interrupted", signal_number: int = 2) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class InternalError(FlowkitError):
    """A bug in flowkit."""

    headline = "Internal error"


class ExceptionWrapper(Exception):
    """What a step raised, kept as text so that reading it never runs the user's code.

    Attributes:
        exception: The exception's own text.
        type: Qualified name of its class, "builtins.ValueError".
        stacktrace: The user's frames as printed; "" when there are none.
    """

    def __init__(self, exception: str, type_name: str, stacktrace: str = "") -> None:
        super().__init__(exception, type_name, stacktrace)
        self.exception = exception
        self.type = type_name
        self.stacktrace = stacktrace

    def __str__(self) -> str:
        return self.stacktrace or f"[no stacktrace]\n{self.type}: {self.exception}"
