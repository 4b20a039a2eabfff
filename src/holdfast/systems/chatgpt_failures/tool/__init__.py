"""Cases, how an answer is read and judged, runs of a suite, and what is said about them."""
