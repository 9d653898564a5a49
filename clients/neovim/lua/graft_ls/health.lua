--- :checkhealth graft_ls

local M = {}

local health = vim.health

local function check_neovim()
  if vim.fn.has("nvim-0.11") == 1 then
    health.ok("Neovim " .. tostring(vim.version()))
  else
    health.error("Neovim 0.11 or newer is needed, this is " .. tostring(vim.version()))
  end
end

local function check_server()
  local cmd, problem = require("graft_ls.client").command()
  if not cmd then
    health.error(problem or "", { "pip install 'graft-ls[llama]'", "or set cmd in setup()" })
    return
  end
  local done = vim.system({ cmd[1], "--version" }, { text = true }):wait(10000)
  if done.code == 0 then
    health.ok(("%s is %s"):format(vim.fn.exepath(cmd[1]), vim.trim(done.stdout)))
  else
    health.error(("%s --version failed: %s"):format(cmd[1], vim.trim(done.stderr or "")))
  end
end

local function check_clients()
  local client = require("graft_ls.client")
  local running = vim.lsp.get_clients({ name = client.NAME })
  if #running == 0 then
    health.warn(client.given_up or "no server is running: open a file of a supported type after setup()")
  end
  for _, one in ipairs(running) do
    local buffers = vim.tbl_count(one.attached_buffers)
    health.ok(
      ("client %d: root %s, %d buffers, positions in %s"):format(one.id, one.root_dir or "none", buffers, one.offset_encoding)
    )
    if not one:supports_method("textDocument/inlineCompletion") then
      health.warn("the server offers no ghost text")
    end
    -- By the client: the report's own buffer has none.
    local status = client.status_of(one.id)
    if status then
      local level = status.kind == "error" and health.error or status.kind == "warning" and health.warn or health.ok
      level(("status: %s; model: %s"):format(
        status.message ~= "" and status.message or "ready",
        status.model ~= "" and status.model or "none"
      ))
    end
  end
end

local function check_neighbours()
  local builtin = vim.lsp.inline_completion
  if builtin and builtin.is_enabled() then
    health.warn("vim.lsp.inline_completion is on: the plugin's own ghost text stays away where it is")
  end
  for _, name in ipairs({ "copilot", "supermaven-nvim", "codeium", "minuet" }) do
    if package.loaded[name] then
      health.info(name .. " is loaded too: two plugins may draw ghost text at one place")
    end
  end
  local menus = vim.tbl_filter(function(name)
    return package.loaded[name] ~= nil
  end, { "cmp", "blink.cmp" })
  if #menus > 0 then
    health.info(table.concat(menus, ", ") .. ": while its menu is open, ghost_text.menu decides what is shown")
  end
end

function M.check()
  health.start("graft_ls")
  check_neovim()
  check_server()
  check_clients()
  check_neighbours()
end

return M
