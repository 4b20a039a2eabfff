"""The mathematics of HCSC: the tree (`prototypes`), what is kept and the loss (`selection`), the training (`learner`)."""
