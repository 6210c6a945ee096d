"""Where ``@secrets`` gets its values from: one provider per file, found by name."""
