"""``spin``: one step of a flow, as it is now, run again on the inputs of an earlier task."""

from flowkit.spinning.spin import SpinEnded, SpinRequest, spin

__all__ = ["SpinEnded", "SpinRequest", "spin"]
