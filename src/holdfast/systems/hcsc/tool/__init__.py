"""The tool on a user's files."""
