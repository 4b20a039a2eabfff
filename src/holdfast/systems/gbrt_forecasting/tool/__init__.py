"""What users do with the method: backtests, comparisons with other forecasters, figures, files, bounds on memory."""
