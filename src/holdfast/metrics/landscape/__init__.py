"""The loss around a network's weights: directions, flatness, barriers on a line, curvature, noise of the gradient.

`directions` has filter-normalised directions and flatness, `barrier` the error on the line between two networks,
`spectrum` the eigenvalues of the Hessian, `noise` how much gradients of batches and of samples differ. No network that
is given is changed.
"""
