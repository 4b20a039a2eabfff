"""The library that keeps experts, on disk too, and how well it finds them; the parts that experts are made of."""
