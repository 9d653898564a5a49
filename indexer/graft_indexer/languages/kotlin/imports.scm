; What is imported.
(import (qualified_identifier) @module) @import
(import (qualified_identifier) @module "as" (identifier) @alias) @import
(import (qualified_identifier) @module "*" @star) @import
