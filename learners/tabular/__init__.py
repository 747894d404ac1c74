"""Rows of features and a label: convex and gradient learners."""
