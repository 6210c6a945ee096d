"""The messages between a driver and its fork server: fixed structs on a stream socket.

A start command is followed by a body (pickled spec, environment, path of the result pipe) and
carries three descriptors: the write ends of the pipes for stdout, stderr and the result.
"""

import struct

COMMAND = struct.Struct("=iIQ")
"""From the driver: a signal to send (or START), number of the attempt, length of the body."""

START = 0
"""In the place of a signal: start an attempt."""

PIPES = 3

NEWS = struct.Struct("=iIi")
"""To the driver: kind, number of the attempt, value."""

READY = 1
"""The server takes commands; value: how many threads its process has."""
STARTED = 2
"""The attempt's process runs; value: its pid."""
ENDED = 3
"""The process has ended and its descendants were killed; value: its wait status."""
REFUSED = 4
"""No process could be started; value: the errno of fork."""
