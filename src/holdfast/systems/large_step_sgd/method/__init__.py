"""The mathematics, in the paper's order: `diagonal` (diagonal linear networks), `relu` (two-layer networks), `training`
(SGD on any network), `schedule` (large steps, the edge of stability, the plateau), `features` (how sparse it became).

Differences from the reference code, tml-epfl/sgd-sparse-features:
- The Hessian of a diagonal network: the reference swaps its off-diagonal blocks; ours agrees with autograd.
- The largest step is searched on every draw of the data; the reference's constants diverge on some.
- Warm-up is written out as a schedule of shares of the training; the reference's name `piecewise_02epochs` matches
  none of its schedules and is left out.
- Whether a column is constant is decided exactly, not by what rounding leaves of its variance.
"""
