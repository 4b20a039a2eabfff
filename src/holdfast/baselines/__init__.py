"""Other papers' methods that several experiments compare with."""
