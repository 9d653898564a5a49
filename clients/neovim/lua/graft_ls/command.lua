--- :GraftLs and its subcommands.

local M = {}

local client = require("graft_ls.client")
local ghost = require("graft_ls.ghost")

--- @param message string
--- @param level integer?
local function say(message, level)
  vim.notify("Graft: " .. message, level or vim.log.levels.INFO)
end

--- The file types that the server is enabled for.
--- @return string[]
function M.filetypes()
  local config = vim.lsp.config[client.NAME]
  return config and config.filetypes or {}
end

--- Show lines in a window of their own that `q` closes.
--- @param name string
--- @param lines string[]
--- @param filetype string?
local function show(name, lines, filetype)
  vim.cmd("botright new")
  local buf = vim.api.nvim_get_current_buf()
  vim.bo[buf].buftype = "nofile"
  vim.bo[buf].bufhidden = "wipe"
  vim.bo[buf].swapfile = false
  pcall(vim.api.nvim_buf_set_name, buf, "graft://" .. name)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  if filetype then
    -- Silently: Markdown's plugin fails where a distribution leaves its parser out, as Debian does. Then it stays plain.
    vim.cmd("silent! setlocal filetype=" .. filetype)
  end
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buf })
  vim.api.nvim_win_set_height(0, math.min(#lines + 1, math.floor(vim.o.lines / 2)))
end

--- Run the server's program with other arguments and show what it says.
--- @param name string
--- @param arguments string[]
local function run(name, arguments)
  local cmd, problem = client.command()
  if not cmd then
    say(problem --[[@as string]], vim.log.levels.WARN)
    return
  end
  local running = client.get(vim.api.nvim_get_current_buf())
  vim.system({ cmd[1], unpack(arguments) }, { text = true, cwd = running and running.root_dir or nil }, function(done)
    vim.schedule(function()
      local output = vim.trim((done.stdout or "") .. (done.code ~= 0 and done.stderr or ""))
      show(name, vim.split(output, "\n", { plain = true }))
    end)
  end)
end

--- Let the server run one of its commands.
--- @param command string
--- @param on_result fun(result: any)
local function ask(command, on_result)
  local buf = vim.api.nvim_get_current_buf()
  local running = client.get(buf)
  if not running then
    say("the server is not running" .. (client.given_up and ": " .. client.given_up or ""), vim.log.levels.WARN)
    return
  end
  running:request("workspace/executeCommand", { command = command, arguments = {} }, function(err, result)
    if err then
      say(err.message, vim.log.levels.WARN)
    else
      on_result(result)
    end
  end, buf)
end

--- @return string what the server does for this buffer, in one line
local function status_line()
  local buf = vim.api.nvim_get_current_buf()
  if #vim.lsp.get_clients({ name = client.NAME, bufnr = buf }) == 0 then
    return "no server is attached to this buffer" .. (client.given_up and ": " .. client.given_up or "")
  end
  local status = client.status(buf) or {}
  local parts = { (status.message or "") ~= "" and status.message or "ready" }
  if (status.model or "") ~= "" then
    parts[#parts + 1] = status.model .. ((status.device or "") ~= "" and " on " .. status.device or "")
  end
  if ghost.snoozed() > 0 then
    parts[#parts + 1] = "suggestions are snoozed"
  elseif not ghost.enabled(buf) then
    parts[#parts + 1] = "suggestions are off in this buffer"
  end
  return table.concat(parts, "; ")
end

--- @type table<string, { help: string, run: fun(arguments: string[]), complete: string[]? }>
M.subcommands = {
  status = {
    help = "what the server is doing",
    run = function()
      say(status_line())
    end,
  },
  start = {
    help = "start the server for the open files",
    run = function()
      client.start()
    end,
  },
  stop = {
    help = "stop the server until :GraftLs start",
    run = function()
      client.stop()
    end,
  },
  restart = {
    help = "stop the server and start it again",
    run = function()
      client.restart()
    end,
  },
  snooze = {
    help = "no suggestions for N minutes (5), always, or off",
    complete = { "5", "60", "always", "off" },
    run = function(arguments)
      local given = arguments[1] or "5"
      local minutes = given == "always" and math.huge or given == "off" and 0 or tonumber(given)
      if not minutes or minutes < 0 then
        say("snooze takes minutes, always or off, not " .. given, vim.log.levels.WARN)
        return
      end
      require("graft_ls").snooze(minutes)
    end,
  },
  toggle = {
    help = "suggestions on or off, in this buffer or everywhere",
    complete = { "everywhere" },
    run = function(arguments)
      local on = require("graft_ls").toggle(arguments[1] == "everywhere")
      say("suggestions are " .. (on and "on" or "off") .. (arguments[1] == "everywhere" and "" or " in this buffer"))
    end,
  },
  log = {
    help = "what the server and the client wrote down",
    run = function()
      local own = M.log_file()
      vim.cmd("botright split " .. vim.fn.fnameescape(own or vim.lsp.log.get_filename()))
      vim.cmd("normal! G")
    end,
  },
  explain = {
    help = "what the model saw for the last suggestion",
    run = function()
      ask("graft.explain", function(result)
        if result == nil or result == vim.NIL then
          say("there was no suggestion yet")
          return
        end
        local content = type(result) == "string" and result or vim.inspect(result)
        show("explain", vim.split(content, "\n", { plain = true }), type(result) == "string" and "markdown" or "lua")
      end)
    end,
  },
  index = {
    help = "index the workspace now",
    run = function()
      ask("graft.index", function() end)
    end,
  },
  repair = {
    help = "find what makes a test command fail, in a terminal, after you have confirmed the command",
    run = function(arguments)
      local command = table.concat(arguments, " ")
      if command == "" then
        command = vim.fn.input({ prompt = "Repair what makes this command fail: ", default = "python -m pytest -x -q" })
      end
      local cmd, problem = client.command()
      if command == "" or not cmd then
        return problem and say(problem, vim.log.levels.WARN)
      end
      local root = client.root(vim.api.nvim_get_current_buf()) or vim.fn.getcwd()
      if vim.fn.confirm(("Run «%s» in %s?"):format(command, root), "&Run\n&Cancel", 2) ~= 1 then
        return
      end
      vim.cmd("botright new")
      vim.fn.jobstart({ cmd[1], "repair", "--test", command, "--root", root }, { term = true, cwd = root })
      -- At the end of a terminal the window follows what comes.
      vim.cmd("normal! G")
    end,
  },
  stats = {
    help = "local statistics",
    run = function()
      run("stats", { "stats" })
    end,
  },
  doctor = {
    help = "what is installed, which device, how fast",
    run = function()
      run("doctor", { "doctor" })
    end,
  },
}

--- The server's own log file, if it is there.
--- @return string?
function M.log_file()
  local folder = vim.env.GRAFT_LOG_DIR
  if not folder then
    -- As platformdirs has it.
    local state = vim.env.XDG_STATE_HOME or (vim.uv.os_homedir() .. "/.local/state")
    folder = state .. "/graft/log"
    if vim.uv.os_uname().sysname == "Darwin" then
      folder = vim.uv.os_homedir() .. "/Library/Logs/graft"
    end
  end
  local newest, time
  for name, kind in vim.fs.dir(folder) do
    local stat = kind == "file" and name:match("%.log$") and vim.uv.fs_stat(folder .. "/" .. name)
    if stat and (not time or stat.mtime.sec > time) then
      newest, time = folder .. "/" .. name, stat.mtime.sec
    end
  end
  return newest
end

--- Run `:GraftLs ...`.
--- @param arguments string[]
function M.run(arguments)
  local name = arguments[1] or "status"
  local subcommand = M.subcommands[name]
  if not subcommand then
    say(("there is no :GraftLs %s; <Tab> after :GraftLs lists what there is"):format(name), vim.log.levels.WARN)
    return
  end
  subcommand.run(vim.list_slice(arguments, 2))
end

--- Candidates for `:GraftLs <Tab>`.
--- @param lead string
--- @param line string
--- @return string[]
function M.complete(lead, line)
  local words = vim.split(line, "%s+", { trimempty = true })
  local position = lead == "" and #words or #words - 1
  local candidates = {}
  if position == 1 then
    candidates = vim.tbl_keys(M.subcommands)
  elseif position == 2 and M.subcommands[words[2]] then
    candidates = M.subcommands[words[2]].complete or {}
  end
  candidates = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
  table.sort(candidates)
  return candidates
end

return M
