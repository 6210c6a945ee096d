"""Suites and strategies shipped to users who write stores, executors and materializers."""
