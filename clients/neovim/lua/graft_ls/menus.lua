--- Completion menus beside ghost text: Neovim's own, nvim-cmp's and blink.cmp's.

local M = {}

local api = vim.api

--- Whether a plugin's menu is open, by the name of its module.
local PLUGINS = {
  cmp = function(plugin)
    -- `cmp.visible` itself waits, up to a second, for entries that are still being filtered.
    local view = plugin.core and plugin.core.view
    if view then
      return view:visible()
    end
    return plugin.visible()
  end,
  ["blink.cmp"] = function(plugin)
    return plugin.is_visible()
  end,
}

--- @return boolean whether a completion menu is open
function M.open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  for name, visible in pairs(PLUGINS) do
    local plugin = package.loaded[name]
    if type(plugin) == "table" then
      local fine, open = pcall(visible, plugin)
      if fine and open then
        return true
      end
    end
  end
  return false
end

local listening = false -- to nvim-cmp, which may be loaded later

--- Call back whenever a plugin's menu has opened or closed. (Neovim's own has events of buffers.)
--- @param callback fun()
function M.watch(callback)
  local changed = vim.schedule_wrap(callback)
  api.nvim_create_autocmd("User", {
    group = api.nvim_create_augroup("graft_ls.menus", {}),
    pattern = { "BlinkCmpMenuOpen", "BlinkCmpMenuClose" },
    callback = changed,
  })
  api.nvim_create_autocmd("InsertEnter", {
    group = "graft_ls.menus",
    callback = function()
      local cmp = package.loaded.cmp
      if not listening and type(cmp) == "table" and cmp.event then
        listening = true
        cmp.event:on("menu_opened", changed)
        cmp.event:on("menu_closed", changed)
      end
    end,
  })
end

return M
