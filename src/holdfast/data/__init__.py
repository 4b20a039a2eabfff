"""Data: problems as objects, image sets, shifts of distribution, and readers of ordinary files. Nothing downloads."""
