"""Checks for authors of systems and plugins: pass them and the class keeps holdfast's contracts."""
