; What defines a name; methods belong to the type of their receiver.
(function_declaration name: (identifier) @name body: (_)? @body) @definition.function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @parent
    (pointer_type (type_identifier) @parent)
    (generic_type type: (type_identifier) @parent)
    (pointer_type (generic_type type: (type_identifier) @parent))]))
  name: (field_identifier) @name body: (_)? @body) @definition.method
(type_declaration (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body)) @definition.struct)
(type_declaration (type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface)
(type_declaration (type_spec name: (type_identifier) @name type: (_) @type) @definition.type)
(type_declaration (type_alias name: (type_identifier) @name type: (_) @type) @definition.type)
(type_declaration (type_spec type: (struct_type
  (field_declaration_list (field_declaration name: (field_identifier) @name type: (_) @type) @definition.field))))
(type_declaration (type_spec type: (interface_type (method_elem name: (field_identifier) @name) @definition.method)))
(source_file (const_declaration (const_spec (identifier) @name type: (_)? @type) @definition.constant))
(source_file (var_declaration (var_spec name: (identifier) @name type: (_)? @type) @definition.variable))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name type: (_)? @type) @definition.variable)))
