"""Probability distributions that torch does not have."""
