"""Metadata stores: one schema, one set of statements, a thin adapter per database."""
