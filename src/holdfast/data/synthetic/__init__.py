"""Worlds that are drawn: generators of data whose truth is known."""
