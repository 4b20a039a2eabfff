"""The paper's mathematics, in its order: which dimensions grow, the table of rules, the initialisation."""
