"""Finite universes: people are points of a table of probabilities, and S is exact."""
