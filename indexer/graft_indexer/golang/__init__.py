"""Go, tier 2: packages, scopes, types by declaration, and what they prove."""
