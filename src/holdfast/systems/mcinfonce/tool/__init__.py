"""What the verbs read and draw."""
