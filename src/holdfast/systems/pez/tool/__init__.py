"""Prompts of encoders and language models that are there: inversion, distillation, classification."""
