; What is imported.
(import_declaration path: (identifier) @name .) @import
(import_declaration path: (identifier) @module . (namespace_wildcard) @star) @import
(import_declaration (namespace_selectors (identifier) @name)) @import
