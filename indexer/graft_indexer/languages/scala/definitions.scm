; What defines a name; see graft_indexer/querywalk.py for the captures.
(class_definition name: (identifier) @name body: (_)? @body) @definition.class
(class_definition name: (identifier) @name extend: (extends_clause type: (_) @base)) @definition.class
(object_definition name: (identifier) @name body: (_)? @body) @definition.class
(trait_definition name: (identifier) @name body: (_)? @body) @definition.trait
(trait_definition name: (identifier) @name extend: (extends_clause type: (_) @base)) @definition.trait
(enum_definition name: (identifier) @name body: (_) @body) @definition.enum
(simple_enum_case name: (identifier) @name) @definition.constant
(full_enum_case name: (identifier) @name) @definition.constant
(package_object name: (identifier) @name body: (_) @body) @definition.module
(function_definition name: (_) @name body: (_) @body) @definition.function
(function_declaration name: (_) @name) @definition.function
(type_definition name: (type_identifier) @name) @definition.type
(given_definition name: (identifier) @name) @definition.variable
(val_definition pattern: (identifier) @name) @definition.variable
(val_declaration name: (identifier) @name) @definition.variable
(var_definition pattern: (identifier) @name) @definition.variable
(var_declaration name: (identifier) @name) @definition.variable
(class_parameters (class_parameter name: (identifier) @name type: (_) @type) @definition.field)
