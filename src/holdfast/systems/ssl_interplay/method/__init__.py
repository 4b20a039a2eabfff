"""The mathematics of the paper: kernels and their features, and the spectrum of the two operators."""
