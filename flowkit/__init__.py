"""flowkit: data and ML flows as classes."""
