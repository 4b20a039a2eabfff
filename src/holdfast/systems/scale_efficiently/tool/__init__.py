"""Runs of a user: read, put on a frontier, drawn."""
