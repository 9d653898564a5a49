"""The embedded model, its card, and the fingerprints of what it was trained on."""
