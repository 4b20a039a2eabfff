"""A system that needs numpy alone, for runs that are disturbed."""
