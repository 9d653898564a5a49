--- What other providers show in a buffer, told to the server by `graft/otherDiagnostics`, so that nothing is shown twice.

local M = {}

--- How long findings must be quiet before they are sent: linters send theirs in several pieces.
M.QUIET_MS = 300
local MOST = 500

local timers = {} --- @type table<integer, uv.uv_timer_t> by buffer
local sent = {} --- @type table<string, string> by client and buffer

--- A column in bytes as the protocol counts it.
--- @param buf integer
--- @param row integer
--- @param col integer
--- @param encoding string
local function place(buf, row, col, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
  return { line = row, character = vim.str_utfindex(line, encoding, math.min(col, #line), false) }
end

--- What others show in a buffer, as the protocol has it.
--- @param buf integer
--- @param encoding string
--- @return table[]
function M.found(buf, encoding)
  local found = {}
  for _, one in ipairs(vim.diagnostic.get(buf)) do
    if one.source ~= "graft" and #found < MOST then
      found[#found + 1] = {
        range = {
          start = place(buf, one.lnum, one.col, encoding),
          ["end"] = place(buf, one.end_lnum or one.lnum, one.end_col or one.col, encoding),
        },
        message = one.message,
        severity = one.severity,
        code = one.code,
        source = one.source,
      }
    end
  end
  return found
end

--- @param buf integer
--- @param client vim.lsp.Client
local function tell(buf, client)
  local found = M.found(buf, client.offset_encoding)
  local key, now = client.id .. ":" .. buf, vim.json.encode(found)
  -- Nothing is what the server takes for granted.
  if now == (sent[key] or vim.json.encode({})) then
    return
  end
  sent[key] = now
  client:notify("graft/otherDiagnostics", {
    uri = vim.uri_from_bufnr(buf),
    diagnostics = found,
  })
end

--- Findings in a buffer changed, or its server has come: tell it when they are quiet.
--- @param buf integer
--- @param name string of the client
function M.changed(buf, name)
  local timer = timers[buf] or assert(vim.uv.new_timer())
  timers[buf] = timer
  timer:start(M.QUIET_MS, 0, vim.schedule_wrap(function()
    if not vim.api.nvim_buf_is_loaded(buf) then
      return
    end
    for _, client in ipairs(vim.lsp.get_clients({ name = name, bufnr = buf })) do
      tell(buf, client)
    end
  end))
end

--- Forget a buffer that the server has closed.
--- @param buf integer
--- @param client_id integer
function M.forget(buf, client_id)
  sent[client_id .. ":" .. buf] = nil
  local timer = timers[buf]
  timers[buf] = nil
  if timer and not timer:is_closing() then
    timer:close()
  end
end

--- Watch all buffers with this client.
--- @param name string
function M.watch(name)
  local group = vim.api.nvim_create_augroup("graft_ls_others", { clear = true })
  vim.api.nvim_create_autocmd("DiagnosticChanged", {
    group = group,
    callback = function(event)
      if #vim.lsp.get_clients({ name = name, bufnr = event.buf }) > 0 then
        M.changed(event.buf, name)
      end
    end,
  })
  vim.api.nvim_create_autocmd("LspDetach", {
    group = group,
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == name then
        M.forget(event.buf, event.data.client_id)
      end
    end,
  })
end

return M
