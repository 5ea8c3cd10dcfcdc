"""Benchmarks: each prints a ratio of two things measured in one run, because machines and moments differ."""
