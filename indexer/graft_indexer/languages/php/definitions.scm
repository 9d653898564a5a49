; What defines a name; see graft_indexer/querywalk.py for the captures.
(class_declaration name: (name) @name body: (_) @body) @definition.class
(class_declaration name: (name) @name (base_clause (_) @base)) @definition.class
(class_declaration name: (name) @name (class_interface_clause (_) @base)) @definition.class
(interface_declaration name: (name) @name body: (_) @body) @definition.interface
(trait_declaration name: (name) @name body: (_) @body) @definition.trait
(enum_declaration name: (name) @name body: (_) @body) @definition.enum
(enum_case name: (name) @name) @definition.constant
(function_definition name: (name) @name body: (_) @body) @definition.function
(method_declaration name: (name) @name body: (_)? @body) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(const_declaration (const_element . (name) @name)) @definition.constant
(namespace_definition name: (namespace_name) @name) @definition.namespace
