"""Finding the helpers and ignoring the trolls: who gave a label tells whether to believe it. arXiv 2208.03295.

Ju, Xu, Boureau and Weston (2022). Example i has input x_i, label y_i in {0, 1} and user u_i. In the paper's order:
stage 1 gives every example a probability p_i by a classifier that was not trained on it (`hash_folds`,
`cross_fit_proba`); stage 2 cleans the training set by a rule over y, p and u (`Purr` and others); stage 3 trains on what is
left and cleans the validation set by that model and the same rule (`clean_validation`); stage 4 is the user's own
training. Stages 1 to 3 are in `cleaning`, stage 0, the generator SafetyMix, in `safety_mix`.

Differences from the paper and its code (which holds the generator and the folds, not the rules):

- "alpha = 0 reverts to per-example" (paper, deployment test) contradicts the printed formula; ours is the formula:
  alpha = 1 judges an example by itself alone, alpha = 0 by the user's other examples alone.
- An example whose user has no other has no g_i; ours takes the mean f of all examples.
- Disagreement is f < 1/2: at p = 1/2 nobody is contradicted, whatever the label.
- Folds by hash are taken of numbers as well, by the bytes of a row: equal rows lie in one fold.
- Weighting users (`SoftUserWeight`) and per-user rules for streams (`UserTrust`) are additions.
"""
