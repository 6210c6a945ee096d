"""The static graph of a flow: read from the source of its steps, checked, described."""
