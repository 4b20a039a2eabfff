"""The mathematics: `vmf` (the distribution), `losses` (MCInfoNCE, ELK, HIB), `head` (networks that give mu and kappa),
`credible` (sets of answers).

Differences from the reference code, mkirchhof/Probabilistic_Contrastive_Learning:
- Negatives are summed, as in InfoNCE; the reference divides them by M, but not the positive (`negatives="mean"`).
- The normaliser is exact; the reference fits a polynomial, which is off by up to 8.6 (in log) at small kappa.
- Samples are exact for every kappa; the reference replaces one constant of the proposal above kappa = 10.
- The gradient of samples by kappa is exact (`grad="implicit"`); the reference differentiates accepted proposals, which
  ignores the acceptance (`grad="pathwise"`: 13 % too small at p = 5, kappa = 2).
- A direction orthogonal to mu is a projected normal vector, not a Householder reflection: the same law, no singular mu.
- Without negatives the samples of the positives are rolled, in ELK too, where the reference rolls similarities.
- HIB is the mean of both parts; the reference divides the negative part by M twice.
"""
