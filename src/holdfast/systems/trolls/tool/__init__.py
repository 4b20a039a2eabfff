"""Feedback in files, and what comes from shared rooms under this system's name."""
