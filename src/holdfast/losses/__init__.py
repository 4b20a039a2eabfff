"""Losses shared by several systems."""
