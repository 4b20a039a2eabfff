"""Pruning a network step by step, and what the landscape says about it."""
