"""The mathematics of HCSC: `clustering` (k-means), `prototypes` (the tree), `selection` (what is kept, the loss)."""
