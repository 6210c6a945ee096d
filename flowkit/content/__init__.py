"""Bytes and values: hashing, the blob format, manifests, and values to buffers and back."""
