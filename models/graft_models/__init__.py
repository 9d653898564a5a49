"""Tokens in, tokens out: prompt formats, engines, the model catalogue.

Knows no language server protocol and no symbols.
"""
