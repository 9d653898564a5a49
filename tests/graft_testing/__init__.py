"""Helpers of the tests: fixtures in one string, workspaces on disk, a client over real stdio."""
