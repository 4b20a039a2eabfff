"""What a user labels images with: the data of a fit from files, and the shared parts that belong to it."""
