"""The paper's parts: KT, PTW and LIN as recursions, their posteriors and priors, meta-learning, regret."""
