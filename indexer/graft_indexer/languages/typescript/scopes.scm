; Scopes and what binds a name in them; see graft_indexer/typescript/scopes.py.
[
  (function_declaration) (function_expression) (generator_function) (generator_function_declaration) (arrow_function)
  (method_definition) (function_signature) (method_signature) (abstract_method_signature) (call_signature)
  (construct_signature) (function_type) (constructor_type)
] @scope.function
[(class_declaration) (abstract_class_declaration) (class)] @scope.class
[(interface_declaration) (type_alias_declaration) (conditional_type) (index_signature) (tuple_type)] @scope.type
[
  (statement_block) (for_statement) (for_in_statement) (catch_clause) (switch_body) (class_static_block)
] @scope.block
(enum_body) @scope.enum
[(internal_module) (module)] @scope.namespace

(function_declaration name: (_) @bind.function)
(generator_function_declaration name: (_) @bind.function)
(function_signature name: (_) @bind.function)
(function_expression name: (_) @bind.self)
(generator_function name: (_) @bind.self)
(class name: (_) @bind.self)
(class_declaration name: (_) @bind.class)
(abstract_class_declaration name: (_) @bind.class)
(interface_declaration name: (_) @bind.interface)
(type_alias_declaration name: (_) @bind.type)
(enum_declaration name: (_) @bind.enum)
(internal_module name: (identifier) @bind.namespace)
(internal_module name: (nested_identifier) @bind.namespace)
(module name: (identifier) @bind.namespace)
(type_parameter name: (_) @bind.typeparam)
(mapped_type_clause name: (_) @bind.typeparam)
(infer_type . (type_identifier) @bind.typeparam)
(lexical_declaration (variable_declarator name: (_) @bind.let))
(variable_declaration (variable_declarator name: (_) @bind.var))
(required_parameter pattern: (_) @bind.param)
(optional_parameter pattern: (_) @bind.param)
(required_parameter name: (_) @bind.param)
(optional_parameter name: (_) @bind.param)
(index_signature name: (identifier) @bind.param)
(arrow_function parameter: (identifier) @bind.param)
(catch_clause parameter: (_) @bind.let)
(for_in_statement kind: _ left: (_) @bind.let)
(import_clause (identifier) @bind.import)
(namespace_import (identifier) @bind.import)
(import_specifier name: (_) @bind.import !alias)
(import_specifier alias: (_) @bind.import)
(import_require_clause (identifier) @bind.import)
(import_alias (identifier) @bind.alias)
(enum_body (property_identifier) @bind.member)
(enum_body (enum_assignment name: (property_identifier) @bind.member))
