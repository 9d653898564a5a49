"""Python: tier 1."""
