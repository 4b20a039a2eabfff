"""The paper: `program` parses programs with calls, `execution` runs them from the inside out, `voting` decides."""
