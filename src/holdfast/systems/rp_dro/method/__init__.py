"""The paper's method: the game of model and adversary (`game`), and how a checkpoint is chosen (`selection`)."""
