"""What runs found, for people: tables on the terminal, figures, self-contained pages.

`results.Results` is what every one of them is given; `summary` and `wording` turn it into the numbers and words that
all of them share, so that the terminal, the page and the figures cannot disagree. In the same way `comparison.compare`
is behind everything said about several runs, and `entries` behind every list of systems: README's table, the digest,
`holdfast verdicts`. `sources.find` finds the run that a user means.
"""
