"""What a user migrates with: maps and their training, qualities, reports, runs over stores."""
