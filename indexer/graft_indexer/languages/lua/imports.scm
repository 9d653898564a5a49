; What is imported.
((function_call name: (identifier) @_require arguments: (arguments (string content: (_) @module))) @import
  (#eq? @_require "require"))
