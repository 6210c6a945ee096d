"""The namespace: the one tag that objects must have to be found."""

from contextvars import ContextVar

from flowkit.client.session import current_session

_namespace: ContextVar[str | None] = ContextVar("flowkit_client_namespace")


def namespace(name: str | None) -> str | None:
    """Let the client find only what is in this namespace from now on.

    An object is in a namespace if that string is one of the tags of its run, e.g. "user:ada" or
    a tag of your own; a flow is in it if one of its runs is. A thread of its own starts with the
    default again, unless it is given this context.

    Args:
        name: The namespace; None for the global one, which has everything in it.

    Returns:
        The namespace just set.
    """
    _namespace.set(name)
    return name


def get_namespace() -> str | None:
    """Return the current namespace; None means the global one."""
    try:
        return _namespace.get()
    except LookupError:
        return current_session().user_namespace or None


def default_namespace() -> str | None:
    """Go back to your own namespace, "user:<name>" unless configured otherwise, and return it."""
    return namespace(current_session().user_namespace or None)
