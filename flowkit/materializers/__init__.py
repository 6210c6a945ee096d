"""Built-in materializers, one group of types per file."""
