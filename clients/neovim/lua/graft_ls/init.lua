--- Graft for Neovim: ghost text, diagnostics and fixes of the language server `graft serve`.

local M = {}

local client = require("graft_ls.client")
local ghost = require("graft_ls.ghost")

--- Configure, and start the server for the file types. Without a call nothing happens.
--- @param given table? see :help graft-ls-setup
function M.setup(given)
  local config, problems = require("graft_ls.config").merge(given)
  for _, problem in ipairs(problems) do
    ghost.say_once("Graft: " .. problem)
  end
  ghost.configure(config.ghost_text)
  client.configure(config)
  vim.api.nvim_set_hl(0, "GraftLsGhost", { link = "Comment", default = true })
  client.start()
end

--- Take over all of the suggestion. Returns false if none is visible.
function M.accept()
  return ghost.accept("all")
end

--- Take over the next word of the suggestion.
function M.accept_word()
  return ghost.accept("word")
end

--- Take over the next line of the suggestion.
function M.accept_line()
  return ghost.accept("line")
end

--- Show the next suggestion of the same answer.
function M.next()
  return ghost.select(1)
end

--- Show the one before.
function M.previous()
  return ghost.select(-1)
end

--- Take the suggestion away.
function M.dismiss()
  return ghost.dismiss()
end

--- Ask for a suggestion at the cursor, now.
function M.trigger()
  ghost.request(vim.api.nvim_get_current_buf(), true)
end

--- Whether a suggestion is visible.
function M.is_visible()
  return ghost.visible()
end

--- No suggestions for some minutes (default 5); 0 wakes, math.huge: until Neovim ends.
--- @param minutes number?
function M.snooze(minutes)
  ghost.snooze(minutes or 5)
  vim.cmd.redrawstatus()
end

--- Switch suggestions in the current buffer, or all of them.
--- @param everywhere boolean?
--- @return boolean whether they are on now
function M.toggle(everywhere)
  local buf = vim.api.nvim_get_current_buf()
  local scope = everywhere and vim.g or vim.b[buf]
  scope.graft_ls_enabled = scope.graft_ls_enabled == false
  ghost.clear(buf)
  return scope.graft_ls_enabled
end

--- For a statusline: "Graft", and what it is doing if that is worth a word. Empty where no server is attached.
--- @return string
function M.statusline()
  local buf = vim.api.nvim_get_current_buf()
  if #vim.lsp.get_clients({ name = client.NAME, bufnr = buf }) == 0 then
    return client.given_up and vim.list_contains(require("graft_ls.command").filetypes(), vim.bo[buf].filetype)
        and "Graft: stopped"
      or ""
  end
  if ghost.snoozed() > 0 then
    local minutes = ghost.snoozed()
    return minutes == math.huge and "Graft: snoozed" or ("Graft: snoozed %d min"):format(math.ceil(minutes))
  end
  if not ghost.enabled(buf) then
    return "Graft: off here"
  end
  local status = client.status(buf)
  if not status then
    return "Graft: starting"
  end
  if status.message and status.message ~= "" then
    return ("Graft: %s%s"):format(status.message, status.busy and " …" or "")
  end
  return status.busy and "Graft: busy …" or "Graft"
end

--- The last status of the server: kind, message, busy, model, device. nil without a server.
function M.status()
  return client.status()
end

return M
