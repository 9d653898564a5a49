; What defines a name; see graft_indexer/querywalk.py for the captures.
(function_declaration name: (identifier) @name body: (_)? @body) @definition.function
(function_declaration
  name: (dot_index_expression table: (_) @parent field: (identifier) @name) body: (_)? @body) @definition.method
(function_declaration
  name: (method_index_expression table: (_) @parent method: (identifier) @name) body: (_)? @body) @definition.method
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @definition.variable)
(chunk (variable_declaration (variable_list name: (identifier) @name)) @definition.variable)
(chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.variable)
(assignment_statement
  (variable_list name: (identifier) @name) (expression_list value: (function_definition))) @definition.function
(assignment_statement
  (variable_list name: (dot_index_expression table: (_) @parent field: (identifier) @name))
  (expression_list value: (function_definition))) @definition.method
(field name: (identifier) @name value: (function_definition)) @definition.function
