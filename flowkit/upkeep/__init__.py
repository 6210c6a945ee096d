"""Keeping a store healthy."""
