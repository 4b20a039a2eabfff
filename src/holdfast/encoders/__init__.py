"""Encoders that come with their weights: data in, vectors out, nothing to train."""
