; Statements that import, re-export or require.
(import_statement source: (string) @module) @import
(import_statement (import_clause (identifier) @alias) source: (string) @module) @import
(import_statement (import_clause (namespace_import (identifier) @alias)) source: (string) @module) @import
(import_statement (import_clause (named_imports) @names) source: (string) @module) @import
(import_statement (import_require_clause (identifier) @alias source: (string) @module)) @import
(export_statement "*" @star source: (string) @module) @import
(export_statement (namespace_export (_) @alias) source: (string) @module) @import
(export_statement (export_clause) @names source: (string) @module) @import
(program (_ (variable_declarator
  name: (identifier) @alias
  value: (call_expression function: (identifier) @_require arguments: (arguments . (string) @module .))
  (#eq? @_require "require")) @import))
(program (_ (variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @name)
  value: (call_expression function: (identifier) @_require arguments: (arguments . (string) @module .))
  (#eq? @_require "require")) @import))
