"""Texts as people: corpora, signals planted in texts, and the transformer platform."""
