"""Files, under the names that guides use."""
