"""Blob stores: memory, local files, S3, and stores that wrap a store."""
