; Scopes and what binds a name in them; see graft_indexer/golang/scopes.py.
[
  (function_declaration) (method_declaration) (func_literal) (block) (if_statement) (for_statement)
  (expression_switch_statement) (type_switch_statement) (select_statement) (communication_case) (expression_case)
  (type_case) (default_case) (type_spec) (type_alias) (function_type) (method_elem)
] @scope

(parameter_declaration name: (identifier) @bind.param)
(variadic_parameter_declaration name: (identifier) @bind.param)
(type_parameter_declaration name: (identifier) @bind.typeparam)
(short_var_declaration left: (expression_list (identifier) @bind.var))
(range_clause left: (expression_list (identifier) @bind.range))
(receive_statement left: (expression_list (identifier) @bind.receive))
(type_switch_statement alias: (expression_list (identifier) @bind.switch))
(var_spec (identifier) @bind.var)
(const_spec (identifier) @bind.const)
(type_spec name: (type_identifier) @bind.type)
(type_alias name: (type_identifier) @bind.type)
(function_declaration name: (identifier) @bind.function)
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (generic_type type_arguments: (type_arguments (type_elem (type_identifier) @bind.typeparam)))
    (pointer_type (generic_type type_arguments: (type_arguments (type_elem (type_identifier) @bind.typeparam))))])))
