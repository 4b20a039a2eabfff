"""Asking tables of one's own: what is around the method of the paper."""
