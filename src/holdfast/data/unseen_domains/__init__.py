"""Data of many domains, of which those of the test are unseen in training."""
