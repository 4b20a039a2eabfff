"""What the verbs read and write, and models from a folder."""
