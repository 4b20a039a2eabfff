"""What users do with the method: predictors, streams, sources, tables, figures, files, meta-training."""
