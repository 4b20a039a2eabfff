"""Models, files of facts, and edits that can be taken back."""
