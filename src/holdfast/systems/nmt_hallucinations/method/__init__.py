"""Scores of texts, of a model's probabilities and attention, and what is done with flagged outputs."""
