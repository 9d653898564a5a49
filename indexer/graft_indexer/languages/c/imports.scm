; What is imported.
(preproc_include path: (_) @module) @import
