; What is imported: `const name = @import("module")`.
((variable_declaration
  . (identifier) @alias
  (builtin_function (builtin_identifier) @_import (arguments (string (string_content) @module)))) @import
  (#eq? @_import "@import"))
