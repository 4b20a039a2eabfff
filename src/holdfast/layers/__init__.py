"""Networks and layers shared by several systems."""
