"""Measurements of S: made once, kept on disk, read back as tables, searched."""
