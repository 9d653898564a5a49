; What defines a name; see graft_indexer/querywalk.py for the captures.
(class_declaration name: (identifier) @name (class_body)? @body) @definition.class
(class_declaration name: (identifier) @name (enum_class_body) @body) @definition.enum
(class_declaration
  name: (identifier) @name (delegation_specifiers (delegation_specifier (user_type) @base))) @definition.class
(class_declaration
  name: (identifier) @name
  (delegation_specifiers (delegation_specifier (constructor_invocation (user_type) @base)))) @definition.class
(object_declaration name: (identifier) @name (class_body)? @body) @definition.class
(companion_object name: (identifier) @name) @definition.class
(enum_entry . (identifier) @name) @definition.constant
(function_declaration name: (identifier) @name (function_body)? @body) @definition.function
(source_file (property_declaration (variable_declaration . (identifier) @name)) @definition.variable)
(class_body (property_declaration (variable_declaration . (identifier) @name)) @definition.field)
(class_parameter ["val" "var"] (identifier) @name) @definition.field
(type_alias type: (identifier) @name) @definition.type
