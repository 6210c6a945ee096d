"""Frozen values that cross borders between processes and layers; standard library only."""
