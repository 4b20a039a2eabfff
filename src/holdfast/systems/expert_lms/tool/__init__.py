"""Bases that experts are trained on, the library that keeps them, and how well it finds them."""
