"""The paper's mathematics: `rates` reads learning curves backwards, `training` makes and probes trained networks."""
