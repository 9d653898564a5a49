--- The server: where it is, when it starts, and what happens when it dies.

local M = {}

local ghost = require("graft_ls.ghost")
local others = require("graft_ls.others")

M.NAME = "graft_ls"
--- The oldest server that this plugin speaks with.
M.OLDEST = "0.1.0"

--- What `graft/status` says.
--- @class graft_ls.Status
--- @field kind string normal, warning, error, inactive
--- @field message string
--- @field busy boolean
--- @field model string
--- @field device string

local config = require("graft_ls.config").defaults --- @type graft_ls.Config
local statuses = {} --- @type table<integer, graft_ls.Status> by client id
local crashes = {} --- @type number[] times, ms
local RECENT_MS, MOST_CRASHES = 180000, 4
M.given_up = nil --- @type string?

--- @param given graft_ls.Config
function M.configure(given)
  config = given
end

--- The program of the command line, or nil if it is not there.
--- @param cmd string[]
--- @return string?
local function executable(cmd)
  local path = vim.fn.exepath(cmd[1])
  return path ~= "" and path or nil
end

--- Where the server may be: the user's setting, Graft's own environment, PATH. Never the workspace.
--- @return string[]? cmd
--- @return string? problem one line for the user
function M.command()
  if config.cmd then
    if executable(config.cmd) then
      return config.cmd
    end
    return nil, ("cmd names %s, which is not a program"):format(config.cmd[1])
  end
  for _, program in ipairs({ vim.fn.stdpath("data") .. "/graft-ls/bin/graft", "graft" }) do
    if executable({ program }) then
      return { program, "serve", "--stdio" }
    end
  end
  return nil, "the program graft was not found: install graft-ls, or set cmd (:help graft-ls-install)"
end

--- The workspace of a file: the nearest folder upwards with the first marker that occurs at all.
--- The home folder itself is no workspace, though many keep their settings there with git.
--- @param buf integer
--- @return string?
function M.root(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  local home = vim.uv.os_homedir()
  for _, marker in ipairs(config.root_markers) do
    local root = vim.fs.root(name, marker)
    if root and root ~= home then
      return root
    end
  end
  return vim.fs.dirname(name)
end

--- @param buf integer
--- @return boolean whether a buffer is a file that the server can know
local function is_file(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  return vim.bo[buf].buftype == "" and name ~= "" and not name:match("^%a[%w+.-]+://")
end

--- The configuration for vim.lsp.config().
--- @param cmd string[]
--- @return vim.lsp.Config
function M.lsp_config(cmd)
  -- An empty table would be sent as a list.
  local settings = next(config.settings) and config.settings or vim.empty_dict()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities = vim.tbl_deep_extend("force", capabilities, {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = { graft = { status = true, shown = true, partial = true, rejected = true } },
  })
  return {
    name = M.NAME,
    cmd = cmd,
    filetypes = config.filetypes,
    capabilities = capabilities,
    settings = { graft = settings },
    init_options = { graft = settings },
    root_dir = function(buf, on_dir)
      if is_file(buf) then
        on_dir(M.root(buf))
      end
    end,
    handlers = {
      ["graft/status"] = function(_, params, ctx)
        statuses[ctx.client_id] = params
        vim.schedule(function()
          vim.api.nvim_exec_autocmds("User", { pattern = "GraftLsStatus", data = params })
          vim.cmd.redrawstatus()
        end)
      end,
    },
    on_init = function(client, result)
      M.check_version(client, vim.tbl_get(result or {}, "serverInfo", "version"))
    end,
    on_attach = function(client, buf)
      if M.given_up then
        return
      end
      ghost.attach(buf)
      others.changed(buf, M.NAME)
      require("graft_ls.keys").attach(buf, config.keys)
      if config.on_attach then
        config.on_attach(client, buf)
      end
    end,
    on_exit = function(code, signal, id)
      vim.schedule(function()
        M.hush()
        M.exited(code, signal, id)
      end)
    end,
  }
end

--- Stop a server that is older than the plugin needs, and say so once.
--- @param client vim.lsp.Client
--- @param version any what the server said of itself
function M.check_version(client, version)
  local have = type(version) == "string" and vim.version.parse(version, { strict = false }) or nil
  if have and not vim.version.lt(have, M.OLDEST) then
    return
  end
  M.given_up = ("the server is version %s; this plugin needs %s or newer: pip install --upgrade 'graft-ls[llama]'"):format(
    type(version) == "string" and version or "unknown",
    M.OLDEST
  )
  ghost.say_once("Graft: " .. M.given_up)
  vim.schedule(function()
    vim.lsp.enable(M.NAME, false)
    client:stop()
  end)
end

--- Find the server and let Neovim start it for the file types. Says once what is missing.
--- @return boolean
function M.start()
  local cmd, problem = M.command()
  if not cmd then
    M.given_up = problem
    ghost.say_once("Graft: " .. problem)
    return false
  end
  M.given_up = nil
  others.watch(M.NAME)
  vim.lsp.config(M.NAME, M.lsp_config(cmd))
  vim.lsp.enable(M.NAME)
  return true
end

--- Stop the server, and do not start it again by itself.
function M.stop()
  vim.lsp.enable(M.NAME, false)
end

local stopping = {} --- @type table<integer, boolean> clients that we stopped ourselves

--- Stop the server and start it again, with what is configured now.
function M.restart()
  crashes = {}
  local clients = vim.lsp.get_clients({ name = M.NAME })
  for _, client in ipairs(clients) do
    stopping[client.id] = true
    client:stop(true)
  end
  vim.lsp.enable(M.NAME, false)
  local tries = 0
  local function again()
    tries = tries + 1
    if #vim.lsp.get_clients({ name = M.NAME }) > 0 and tries < 50 then
      vim.defer_fn(again, 100)
    else
      M.start()
    end
  end
  vim.defer_fn(again, 50)
end

--- How long to wait before a crashed server is started again: longer each time, nil to stop trying.
--- @param times number[] of crashes, milliseconds
--- @param now number
--- @return number? milliseconds
function M.restart_delay(times, now)
  local recent = 0
  for _, time in ipairs(times) do
    if now - time < RECENT_MS then
      recent = recent + 1
    end
  end
  if recent > MOST_CRASHES then
    return nil
  end
  return math.min(8000, 500 * 2 ^ math.max(0, recent - 1))
end

--- Neovim reports every exit of a server in a line so long that it waits for Enter, which eats what is being typed.
--- We say it ourselves, once and short; the line goes to the client's log.
function M.hush()
  local notify = vim.notify
  local function quiet(message, level, opts)
    if type(message) == "string" and message:match("^Client graft_ls quit with exit code") then
      vim.lsp.log.warn(message)
    else
      return notify(message, level, opts)
    end
  end
  vim.notify = quiet
  vim.defer_fn(function()
    if vim.notify == quiet then
      vim.notify = notify
    end
  end, 100)
end

--- @param code integer
--- @param signal integer
--- @param id integer
function M.exited(code, signal, id)
  statuses[id] = nil
  local ours = stopping[id]
  stopping[id] = nil
  vim.cmd.redrawstatus()
  if ours or vim.v.exiting ~= vim.NIL or not vim.lsp.is_enabled(M.NAME) then
    return
  end
  if code == 0 and (signal == 0 or signal == 15) then
    return
  end
  local now = vim.uv.now()
  crashes[#crashes + 1] = now
  local delay = M.restart_delay(crashes, now)
  if not delay then
    M.given_up = ("the server stopped %d times in three minutes; :GraftLs log shows why, :GraftLs restart tries again"):format(
      MOST_CRASHES + 1
    )
    ghost.say_once("Graft: " .. M.given_up)
    return
  end
  ghost.say_once("Graft: the server stopped and is started again; :GraftLs log shows why")
  vim.defer_fn(function()
    if vim.lsp.is_enabled(M.NAME) then
      M.start()
    end
  end, delay)
end

--- The running client of a buffer, else any.
--- @param buf integer?
--- @return vim.lsp.Client?
function M.get(buf)
  return vim.lsp.get_clients({ name = M.NAME, bufnr = buf })[1] or vim.lsp.get_clients({ name = M.NAME })[1]
end

--- The last status that a client's server sent.
--- @param id integer
--- @return graft_ls.Status?
function M.status_of(id)
  return statuses[id]
end

--- The last status of the server of a buffer.
--- @param buf integer?
--- @return graft_ls.Status?
function M.status(buf)
  local client = vim.lsp.get_clients({ name = M.NAME, bufnr = buf or vim.api.nvim_get_current_buf() })[1]
  return client and statuses[client.id] or nil
end

return M
