"""Exchange rates from a user's table of results."""
