; What is imported.
(import_declaration (identifier) @module) @import
