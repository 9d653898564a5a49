; What is imported.
(namespace_use_declaration (namespace_use_clause (qualified_name) @module)) @import
(namespace_use_declaration (namespace_use_clause (qualified_name) @module alias: (name) @alias)) @import
(include_expression (_) @module) @import
(require_expression (_) @module) @import
(require_once_expression (_) @module) @import
(include_once_expression (_) @module) @import
