"""The beginning of programs that are killed at a step of their own."""

MORTAL = """
import os, signal, sys

left = int(sys.argv.pop(1))

class Dying:
    '''Passes calls on, and dies before and after one of them.'''
    def __init__(self, target):
        self.target = target
    def __getattr__(self, name):
        method = getattr(self.target, name)
        if name == "sweeping":
            return Dying(method)
        if not callable(method) or name == "close":
            return method
        def call(*arguments):
            tick()
            result = method(*arguments)
            tick()
            return result
        return call

def tick():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""
"""Defines `Dying` and `tick`; the program's first argument says how many ticks it lives."""
