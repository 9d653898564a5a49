; What defines a name; see graft_indexer/querywalk.py for the captures.
(function_definition
  declarator: (function_declarator declarator: (identifier) @name) body: (_) @body) @definition.function
(function_definition
  declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
  body: (_) @body) @definition.function
(function_definition
  declarator: (pointer_declarator
    declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
  body: (_) @body) @definition.function
(struct_specifier name: (type_identifier) @name body: (_) @body) @definition.struct
(union_specifier name: (type_identifier) @name body: (_) @body) @definition.union
(enum_specifier name: (type_identifier) @name body: (_) @body) @definition.enum
(enumerator name: (identifier) @name) @definition.constant
(type_definition declarator: (type_identifier) @name) @definition.type
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition declarator: (array_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition
  declarator: (function_declarator
    declarator: (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @name)))) @definition.type
(preproc_def name: (identifier) @name) @definition.constant
(preproc_function_def name: (identifier) @name) @definition.macro
(field_declaration type: (_) @type declarator: (field_identifier) @name) @definition.field
(field_declaration
  type: (_) @type declarator: (pointer_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration
  type: (_) @type
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (field_identifier) @name))) @definition.field
(field_declaration
  type: (_) @type declarator: (array_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration
  declarator: (function_declarator
    declarator: (parenthesized_declarator (pointer_declarator declarator: (field_identifier) @name)))) @definition.field
(declaration type: (_) @type declarator: (init_declarator declarator: (identifier) @name)) @definition.variable
(declaration
  type: (_) @type
  declarator: (init_declarator declarator: (array_declarator declarator: (identifier) @name))) @definition.variable
(declaration
  type: (_) @type
  declarator: (init_declarator declarator: (pointer_declarator declarator: (identifier) @name))) @definition.variable
(declaration type: (_) @type declarator: (identifier) @name) @definition.variable
(declaration type: (_) @type declarator: (pointer_declarator declarator: (identifier) @name)) @definition.variable
(declaration type: (_) @type declarator: (array_declarator declarator: (identifier) @name)) @definition.variable
(declaration
  type: (_) @type
  declarator: (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))) @definition.variable
(declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.prototype
(declaration
  declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))) @definition.prototype
(declaration
  declarator: (pointer_declarator
    declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))) @definition.prototype

[(preproc_if) (preproc_ifdef) (preproc_else) (preproc_elif) (preproc_elifdef) (ERROR)] @inside
(linkage_specification body: (_) @inside)
[(enum_specifier !name body: (_) @inside) (union_specifier !name body: (_) @inside) (struct_specifier !name body: (_) @inside)]
