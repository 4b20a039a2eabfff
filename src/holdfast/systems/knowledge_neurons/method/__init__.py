"""The paper's mathematics: attribution and selection of neurons, and edits of their value vectors."""
