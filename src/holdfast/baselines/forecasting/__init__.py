"""Other forecasters that experiments compare with: naive ones, networks, statistical models."""
