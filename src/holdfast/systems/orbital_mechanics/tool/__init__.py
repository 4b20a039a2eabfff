"""What surrounds the method: derivatives, fits with a known form, symbolic regression, motion, a user's tracks."""
