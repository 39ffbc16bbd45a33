"""Faults on purpose: commands killed at random moments, disks that are full or read-only, hostile uploads. Each reports
what fell short and ends with 1 then. Too long for the tests, and no part of `make perf`.
"""
