"""What the verbs do: reading a table with domains, and comparing methods on domains left out."""
