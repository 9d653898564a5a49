; What defines a name; see graft_indexer/querywalk.py for the captures.
(function_item name: (identifier) @name body: (_) @body) @definition.function
(function_signature_item name: (identifier) @name) @definition.method
(struct_item name: (type_identifier) @name body: (_)? @body) @definition.struct
(union_item name: (type_identifier) @name body: (_) @body) @definition.union
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(enum_variant name: (identifier) @name) @definition.constant
(trait_item name: (type_identifier) @name body: (_) @body) @definition.trait
(trait_item name: (type_identifier) @name bounds: (trait_bounds (_) @base)) @definition.trait
(impl_item type: [(type_identifier) @name (generic_type type: (type_identifier) @name)] body: (_)? @body) @scope
(mod_item name: (identifier) @name body: (_)? @body) @definition.module
(macro_definition name: (identifier) @name) @definition.macro
(const_item name: (identifier) @name type: (_) @type) @definition.constant
(static_item name: (identifier) @name type: (_) @type) @definition.constant
(type_item name: (type_identifier) @name) @definition.type
(associated_type name: (type_identifier) @name) @definition.type
(field_declaration name: (field_identifier) @name type: (_) @type) @definition.field

(enum_variant body: (_) @inside)
(impl_item body: (_) @inside)
(foreign_mod_item body: (_) @inside)
(ERROR) @inside
