"""The method on a user's own table: inputs of the networks, the rows, and what was upweighted."""
