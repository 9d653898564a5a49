--- Keys that do what they did before whenever no suggestion is visible.

local M = {}

local ghost = require("graft_ls.ghost")
local menus = require("graft_ls.menus")

local ACTIONS = {
  accept = "<C-g>u<Cmd>lua require('graft_ls').accept()<CR>",
  accept_word = "<C-g>u<Cmd>lua require('graft_ls').accept_word()<CR>",
  accept_line = "<C-g>u<Cmd>lua require('graft_ls').accept_line()<CR>",
  next = "<Cmd>lua require('graft_ls').next()<CR>",
  previous = "<Cmd>lua require('graft_ls').previous()<CR>",
  dismiss = "<Cmd>lua require('graft_ls').dismiss()<CR>",
  trigger = "<Cmd>lua require('graft_ls').trigger()<CR>",
}
M.DESCRIPTIONS = {
  accept = "Graft: accept the suggestion",
  accept_word = "Graft: accept the next word",
  accept_line = "Graft: accept the next line",
  next = "Graft: next suggestion",
  previous = "Graft: previous suggestion",
  dismiss = "Graft: dismiss the suggestion",
  trigger = "Graft: ask for a suggestion",
}
-- While a menu is open these belong to the menu, whatever is mapped to them.
local OF_THE_MENU = { ["<tab>"] = true, ["<s-tab>"] = true, ["<cr>"] = true, ["<c-y>"] = true, ["<c-e>"] = true }

local function raw(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- What the key did before, as keys to feed from an expression mapping.
--- @param key string
--- @param before table of maparg(); empty without a mapping
--- @return string
local function fallback(key, before)
  if vim.tbl_isempty(before) then
    return raw(key)
  end
  local result = before.rhs and raw(before.rhs) or ""
  if before.callback then
    if before.expr ~= 1 then
      vim.schedule(before.callback)
      return ""
    end
    result = before.callback() or ""
    if before.replace_keycodes == 1 then
      result = raw(result)
    end
  elseif before.expr == 1 then
    result = vim.api.nvim_eval(before.rhs)
    if before.replace_keycodes == 1 then
      result = raw(result)
    end
  end
  if before.noremap == 1 then
    return result
  end
  -- What an expression mapping returns is not mapped again here, so a mapping that wants this is fed.
  vim.api.nvim_feedkeys(result, "mi", false)
  return ""
end

--- Map the keys in one buffer.
--- @param buf integer
--- @param keys table<string, string>
function M.attach(buf, keys)
  for name, key in pairs(keys) do
    local before = vim.api.nvim_buf_call(buf, function()
      return vim.fn.maparg(key, "i", false, true)
    end)
    if before.desc == M.DESCRIPTIONS[name] then
      -- Attached before, by a server that has gone.
      goto continue
    end
    vim.keymap.set("i", key, function()
      local free = not (OF_THE_MENU[key:lower()] and menus.open())
      if free and (name == "trigger" or ghost.visible()) then
        return raw(ACTIONS[name])
      end
      return fallback(key, before)
    end, { buffer = buf, expr = true, replace_keycodes = false, desc = M.DESCRIPTIONS[name] })
    ::continue::
  end
end

return M
