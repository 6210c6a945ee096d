"""Requests to an S3 service: its one connection per process, its errors, whole objects."""
