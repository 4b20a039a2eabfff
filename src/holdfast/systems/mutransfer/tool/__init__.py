"""What a user transfers with: one call on a model, its optimiser, the coordinate check, sweeps and their pages."""
