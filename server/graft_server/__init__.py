"""Joins the symbol graph and the models into a language server and a command line."""

__version__ = "0.1.0"
