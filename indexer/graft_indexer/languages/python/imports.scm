; Statements that import, wherever they stand; as definitions.scm, an oracle.
(import_statement name: (dotted_name) @module) @import
(import_statement name: (aliased_import name: (dotted_name) @module)) @import
(import_from_statement name: (dotted_name) @name) @import
(import_from_statement name: (aliased_import name: (dotted_name) @name)) @import
(import_from_statement (wildcard_import) @name) @import
(future_import_statement name: (dotted_name) @name) @import
(future_import_statement name: (aliased_import name: (dotted_name) @name)) @import
