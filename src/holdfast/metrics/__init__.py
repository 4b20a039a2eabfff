"""How good predictions are: errors of forecasts, quantiles that keep their promise, scores of backtests."""
