"""Encoders with nothing to train: data in, vectors out. Those that have weights come with them."""
