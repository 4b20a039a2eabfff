"""Asking tables of one's own: what writes programs and answers their calls, and what runs them within limits."""
