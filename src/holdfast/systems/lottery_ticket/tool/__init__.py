"""Lottery tickets on a user's own network: training under a mask, levels that are kept, what came of them."""
