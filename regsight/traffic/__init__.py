"""Invented registry traffic with planted attacks and harmless surprises, in the registries' own log formats.

`simulate.simulate` writes the files and `truth.json`, `describe.describe` holds them against figures from real
registries. Everything follows from one seed: the demo and the tests read the same lines on every machine.
"""
