"""`make perf`: benchmarks of our own code, each as a ratio with both sides measured in one run. Never part of the
tests.
"""
