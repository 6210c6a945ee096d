"""Protocols between the rooms of the house; each contract stands in the port's docstrings."""
