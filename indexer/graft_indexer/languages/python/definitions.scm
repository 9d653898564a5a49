; What defines a name, as tree-sitter's tags convention writes it.  Python's bulk extraction does not run this query (the
; statement walk is faster and sees scopes); it is the walk's oracle on text that no other parser accepts.
(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(type_alias_statement left: (type (identifier) @name)) @definition.type
(type_alias_statement left: (type (generic_type . (identifier) @name))) @definition.type
