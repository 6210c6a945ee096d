"""Where tasks run: in this process, in forked children, in fresh interpreters."""
