"""The mathematics: the tree (`prototypes`), what is kept and the loss (`selection`), the training (`learner`)."""
