"""The mathematics, in the paper's order: `diagonal` (diagonal linear networks), `relu` (two-layer networks), `schedule`
(large steps that decay, the plateau), `features` (how sparse it became). The edge of stability: training.stable_rate.

Differences from the reference code, tml-epfl/sgd-sparse-features:
- The Hessian of a diagonal network: the reference swaps its off-diagonal blocks; ours agrees with autograd.
- The largest step is searched on every draw of the data; the reference's constants diverge on some.
- Warm-up is written out as shares of the training: exponential, or linear from a tenth (notebooks: from 1 / (400 p)).
  The reference's name `piecewise_02epochs` matches none of its schedules and is left out.
- Whether a column is constant is decided exactly, not by what rounding leaves of its variance.
- Active is > 0 everywhere (its small networks: != 0, the same after ReLU); its averaged weights are left out.
"""
