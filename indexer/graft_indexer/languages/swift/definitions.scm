; What defines a name; see graft_indexer/querywalk.py for the captures.
(class_declaration name: (type_identifier) @name body: (_) @body) @definition.class
(class_declaration name: (type_identifier) @name (inheritance_specifier inherits_from: (_) @base)) @definition.class
(class_declaration "extension" name: (user_type (type_identifier) @name)) @scope
(protocol_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(function_declaration name: (simple_identifier) @name body: (_)? @body) @definition.function
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(init_declaration "init" @name body: (_)? @body) @definition.constructor
(typealias_declaration name: (type_identifier) @name) @definition.type
(enum_entry name: (simple_identifier) @name) @definition.constant
(source_file (property_declaration name: (pattern (simple_identifier) @name)) @definition.variable)
(class_body (property_declaration name: (pattern (simple_identifier) @name)) @definition.field)
(enum_class_body (property_declaration name: (pattern (simple_identifier) @name)) @definition.field)
