; What defines a name; see graft_indexer/querywalk.py for the captures.
(class_declaration name: (identifier) @name body: (_)? @body) @definition.class
(class_declaration name: (identifier) @name (base_list (_) @base)) @definition.class
(interface_declaration name: (identifier) @name body: (_)? @body) @definition.interface
(interface_declaration name: (identifier) @name (base_list (_) @base)) @definition.interface
(struct_declaration name: (identifier) @name body: (_)? @body) @definition.struct
(record_declaration name: (identifier) @name body: (_)? @body) @definition.class
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(enum_member_declaration name: (identifier) @name) @definition.constant
(delegate_declaration name: (identifier) @name) @definition.type
(namespace_declaration name: (_) @name body: (_) @body) @definition.namespace
(method_declaration name: (identifier) @name body: (_)? @body) @definition.method
(constructor_declaration name: (identifier) @name body: (_)? @body) @definition.constructor
(destructor_declaration name: (identifier) @name body: (_)? @body) @definition.method
(local_function_statement name: (identifier) @name body: (_) @body) @definition.function
(property_declaration type: (_) @type name: (identifier) @name (accessor_list)? @body) @definition.property
(event_declaration name: (identifier) @name) @definition.field
(field_declaration
  (variable_declaration type: (_) @type (variable_declarator name: (identifier) @name))) @definition.field
(event_field_declaration
  (variable_declaration type: (_) @type (variable_declarator name: (identifier) @name))) @definition.field
