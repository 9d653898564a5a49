; What is imported.
(use_declaration argument: (identifier) @module) @import
(use_declaration argument: (scoped_identifier path: (_) @module name: (identifier) @name)) @import
(use_declaration argument: (scoped_use_list path: (_) @module list: (use_list (identifier) @name))) @import
(use_declaration
  argument: (scoped_use_list path: (_) @module list: (use_list (scoped_identifier name: (identifier) @name)))) @import
(use_declaration
  argument: (scoped_use_list
    path: (_) @module list: (use_list (use_as_clause path: (_) @name alias: (identifier) @alias)))) @import
(use_declaration argument: (use_as_clause path: (_) @module alias: (identifier) @alias)) @import
(use_declaration argument: (use_wildcard (_) @module) @star) @import
(mod_item name: (identifier) @module !body) @import
(extern_crate_declaration name: (identifier) @module) @import
