; What is imported.
(using_directive [(identifier) (qualified_name)] @module .) @import
(using_directive name: (identifier) @alias [(qualified_name) (generic_name)] @module) @import
