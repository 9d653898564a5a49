; What defines a name, as tree-sitter's tags convention writes it; see graft_indexer/querywalk.py for the captures.
(class_declaration name: (type_identifier) @name body: (class_body) @body) @definition.class
(class_declaration name: (type_identifier) @name (class_heritage (extends_clause value: (_) @base))) @definition.class
(class_declaration name: (type_identifier) @name (class_heritage (implements_clause (_) @base))) @definition.class
(abstract_class_declaration name: (type_identifier) @name body: (class_body) @body) @definition.class
(abstract_class_declaration
  name: (type_identifier) @name (class_heritage (extends_clause value: (_) @base))) @definition.class
(interface_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(interface_declaration name: (type_identifier) @name (extends_type_clause (_) @base)) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(type_alias_declaration name: (type_identifier) @name) @definition.type
(internal_module name: [(identifier) (nested_identifier)] @name body: (_) @body) @definition.namespace
(module name: (identifier) @name body: (_) @body) @definition.namespace
(function_declaration name: (identifier) @name body: (_) @body) @definition.function
(generator_function_declaration name: (identifier) @name body: (_) @body) @definition.function
(function_signature name: (identifier) @name) @definition.function
(lexical_declaration
  (variable_declarator
    name: (identifier) @name
    value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function)
(program (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(ambient_declaration (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(variable_declaration
  (variable_declarator name: (identifier) @name value: (function_expression body: (_) @body)) @definition.function)
(program (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(export_statement (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(class_body (method_definition name: (_) @name body: (_) @body) @definition.method)
(class_body (method_signature name: (_) @name) @definition.method)
(class_body (abstract_method_signature name: (_) @name) @definition.method)
(class_body
  (public_field_definition
    name: (_) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method)
(class_body (public_field_definition name: (_) @name type: (type_annotation (_) @type)?) @definition.field)
(interface_body (property_signature name: (_) @name type: (type_annotation (_) @type)?) @definition.field)
(interface_body (method_signature name: (_) @name) @definition.method)
(enum_body (property_identifier) @name @definition.constant)
(enum_body (enum_assignment name: (property_identifier) @name) @definition.constant)

[(export_statement) (ambient_declaration) (expression_statement (internal_module)) (ERROR)] @inside
(module body: (_) @inside)
(ambient_declaration (statement_block) @inside)
