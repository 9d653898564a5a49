; What defines a name; see graft_indexer/querywalk.py for the captures.
; Declarators nest: one pattern with all of its forms is prepared faster than one for each.
(function_definition
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: [
      (function_declarator declarator: (identifier) @name)
      (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))])
  ] body: (_) @body) @definition.function
(function_definition
  declarator: (reference_declarator
    (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
  body: (_)? @body) @definition.function
(function_definition
  declarator: [
    (function_declarator declarator: [
      (field_identifier) @name (destructor_name) @name (operator_name) @name
      (qualified_identifier scope: (_) @parent name: [(identifier) (destructor_name) (operator_name)] @name)
      (qualified_identifier
        name: (qualified_identifier scope: (_) @parent name: [(identifier) (destructor_name) (operator_name)] @name))])
    (reference_declarator
      (function_declarator
        declarator: (qualified_identifier scope: (_) @parent name: [(identifier) (operator_name)] @name)))
    (pointer_declarator declarator: (function_declarator declarator: [
      (field_identifier) @name
      (qualified_identifier scope: (_) @parent name: (identifier) @name)]))
  ] body: (_)? @body) @definition.method
(declaration type: (_) @type declarator: [
  (identifier) @name
  (init_declarator declarator: [
    (identifier) @name
    (array_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (identifier) @name)])
  (pointer_declarator declarator: [(identifier) @name (array_declarator declarator: (identifier) @name)])
  (array_declarator declarator: (identifier) @name)]) @definition.variable
(declaration declarator: [
  (function_declarator declarator: (identifier) @name)
  (pointer_declarator declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))])]) @definition.prototype
(field_declaration type: (_) @type declarator: [
  (field_identifier) @name
  (array_declarator declarator: (field_identifier) @name)
  (pointer_declarator declarator: [
    (field_identifier) @name
    (pointer_declarator declarator: (field_identifier) @name)])
  (reference_declarator (field_identifier) @name)]) @definition.field
(field_declaration
  declarator: (function_declarator
    declarator: (parenthesized_declarator (pointer_declarator declarator: (field_identifier) @name)))) @definition.field
(field_declaration declarator: [
  (function_declarator declarator: [(field_identifier) (destructor_name) (operator_name)] @name)
  (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name))
  (reference_declarator (function_declarator declarator: [(field_identifier) (operator_name)] @name))]) @definition.method
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
(class_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(class_specifier name: (type_identifier) @name (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base) body: (_)) @definition.class
(struct_specifier name: (type_identifier) @name (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base) body: (_)) @definition.struct
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_) @body) @definition.struct
(class_specifier name: (template_type name: (type_identifier) @name) body: (_) @body) @definition.class
(namespace_definition name: (namespace_identifier) @name body: (_) @body) @definition.namespace
(namespace_definition name: (nested_namespace_specifier) @name body: (_) @body) @definition.namespace
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type
(field_declaration_list
  (declaration declarator: (function_declarator declarator: [(identifier) (destructor_name)] @name)) @definition.constructor)

[(preproc_if) (preproc_ifdef) (preproc_else) (preproc_elif) (preproc_elifdef) (ERROR)] @inside
(linkage_specification body: (_) @inside)
(namespace_definition body: (_) @inside)
(template_declaration) @inside
[(enum_specifier !name body: (_) @inside) (union_specifier !name body: (_) @inside) (struct_specifier !name body: (_) @inside)]
