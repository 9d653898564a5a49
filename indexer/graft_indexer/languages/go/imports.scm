; Imported packages: the path, and the name they are given if any (`.` imports everything).
(import_spec path: (interpreted_string_literal) @module) @import
(import_spec name: (package_identifier) @alias path: (interpreted_string_literal) @module) @import
(import_spec name: (dot) @star path: (interpreted_string_literal) @module) @import
[(import_declaration) (import_spec_list)] @inside
