"""TypeScript and JavaScript, tier 2: scopes, modules, types by declaration, and what they prove."""
