"""What a run found, for people: tables on the terminal, figures, one self-contained page.

`results.Results` is what every one of them is given; `summary` and `wording` turn it into the numbers and words that
all of them share, so that the terminal, the page and the figures cannot disagree.
"""
