"""The tool on a user's files, and published benchmarks."""
