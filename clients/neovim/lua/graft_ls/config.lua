--- What users may set, with defaults and checks.

local M = {}

--- @class graft_ls.Config
M.defaults = {
  --- The server's command line; nil: `graft` of Graft's own environment below stdpath("data"), else of PATH.
  cmd = nil, --- @type string[]?
  --- All that the server serves; a shorter list leaves the others alone.
  filetypes = {
    "python", "typescript", "typescriptreact", "javascript", "javascriptreact", "go", "c", "cpp", "cs", "java", "kotlin",
    "lua", "php", "ruby", "rust", "scala", "sh", "bash", "swift", "zig",
  },
  --- A folder with one of these is the workspace; the first in the list that is found wins, from the file upwards.
  root_markers = {
    ".git", "pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "package.json", "go.mod", "Cargo.toml",
  },
  --- Settings of the server, as in its reference: { completion = { multiline = false } }.
  settings = {},
  ghost_text = {
    enabled = true,
    --- Without being asked; false: only by the trigger key.
    auto = true,
    --- Milliseconds without a key before the server is asked.
    debounce = 20,
    --- While a completion menu is open: "first_line" of the suggestion, "hide" it, or show it in "full".
    menu = "first_line",
  },
  --- Insert mode only. A key does what it did before whenever no suggestion is visible. false: no key at all.
  keys = {
    accept = "<M-l>",
    accept_word = "<M-w>",
    accept_line = "<M-j>",
    next = "<M-n>",
    previous = "<M-p>",
    dismiss = "<M-e>",
    trigger = "<M-t>",
  },
  --- Called with (client, bufnr).
  on_attach = nil, --- @type fun(client: vim.lsp.Client, bufnr: integer)?
}

local TYPES = {
  cmd = "table",
  filetypes = "table",
  root_markers = "table",
  settings = "table",
  ghost_text = "table",
  ["ghost_text.enabled"] = "boolean",
  ["ghost_text.auto"] = "boolean",
  ["ghost_text.debounce"] = "number",
  ["ghost_text.menu"] = "string",
  on_attach = "function",
}
local MENUS = { first_line = true, hide = true, full = true }

--- Merge what a user gave into the defaults.
--- @param given table?
--- @return graft_ls.Config
--- @return string[] problems one line each; a wrong value is left at its default
function M.merge(given)
  given = vim.deepcopy(given or {})
  local problems = {} --- @type string[]
  local function check(values, prefix, defaults)
    for name, value in pairs(values) do
      local path = prefix .. name
      local wanted = TYPES[path]
      if wanted and type(value) ~= wanted then
        problems[#problems + 1] = ("%s must be a %s, not %s"):format(path, wanted, vim.inspect(value))
        values[name] = nil
      elseif not wanted and prefix == "" and name ~= "keys" or prefix ~= "" and defaults[name] == nil then
        problems[#problems + 1] = ("there is no setting %s"):format(path)
        values[name] = nil
      end
    end
  end
  check(given, "", M.defaults)
  if given.ghost_text then
    check(given.ghost_text, "ghost_text.", M.defaults.ghost_text)
    if given.ghost_text.menu and not MENUS[given.ghost_text.menu] then
      problems[#problems + 1] = "ghost_text.menu must be first_line, hide or full"
      given.ghost_text.menu = nil
    end
  end
  local keys = given.keys
  given.keys = nil
  local config = vim.tbl_deep_extend("force", M.defaults, given)
  config.keys = vim.deepcopy(M.defaults.keys)
  if keys == false then
    config.keys = {}
  elseif type(keys) == "table" then
    for name, key in pairs(keys) do
      if M.defaults.keys[name] == nil then
        problems[#problems + 1] = ("there is no key keys.%s"):format(name)
      elseif key == false then
        config.keys[name] = nil
      elseif type(key) == "string" then
        config.keys[name] = key
      else
        problems[#problems + 1] = ("keys.%s must be a key such as <M-l>, or false"):format(name)
      end
    end
  elseif keys ~= nil then
    problems[#problems + 1] = "keys must be a table, or false"
  end
  return config, problems
end

return M
