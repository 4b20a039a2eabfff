"""Runs of a user: read, put on a frontier, drawn; and the parts that studies of shapes are made of."""
