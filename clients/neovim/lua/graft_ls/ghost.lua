--- Ghost text: asks the server, draws the answer with extmarks, takes it over. The same on Neovim 0.11 and 0.12.
---
--- An answer is bound to the text that it was asked for. Before it is drawn, and again before it is taken over, what
--- was typed since is held against it (text.lua): it shrinks when someone types as suggested, and goes away otherwise.

local menus = require("graft_ls.menus")
local text = require("graft_ls.text")

local M = {}

local api = vim.api
local METHOD = "textDocument/inlineCompletion"
local SILENT = { [-32800] = true, [-32801] = true, [-32802] = true } -- cancelled, content modified, server cancelled
local namespace = api.nvim_create_namespace("graft_ls.ghost")

--- @class graft_ls.Request
--- @field row integer
--- @field last_row integer rows from `row` to here may change without making the answer void
--- @field void boolean? the text around has changed
--- @field id integer?
--- @field client_id integer
--- @field manual boolean?

--- @class graft_ls.State
--- @field timer uv.uv_timer_t?
--- @field request graft_ls.Request?
--- @field suggestions graft_ls.Suggestion[]
--- @field index integer
--- @field row integer
--- @field last_row integer
--- @field void boolean?
--- @field client_id integer?
--- @field shown table? the item that was reported as shown
--- @field visible boolean

local states = {} --- @type table<integer, graft_ls.State>
local options = require("graft_ls.config").defaults.ghost_text
local quiet_until = 0 -- of vim.uv.now(); math.huge: until restart
local said = {} --- @type table<string, boolean>
local watching = false -- menus of plugins

--- @param given table
function M.configure(given)
  options = given
end

--- Snooze for some minutes; 0 wakes, math.huge: until Neovim ends.
--- @param minutes number
function M.snooze(minutes)
  quiet_until = minutes == 0 and 0 or vim.uv.now() + minutes * 60000
  for buf in pairs(states) do
    M.clear(buf)
  end
end

--- Minutes that the snooze lasts yet; 0 if there is none.
--- @return number
function M.snoozed()
  return math.max(0, (quiet_until - vim.uv.now()) / 60000)
end

--- Whether suggestions are wanted in a buffer.
--- @param buf integer
--- @return boolean
function M.enabled(buf)
  if not options.enabled or vim.g.graft_ls_enabled == false or vim.b[buf].graft_ls_enabled == false then
    return false
  end
  if M.snoozed() > 0 then
    return false
  end
  -- Where Neovim's own ghost text is on, two would lie on top of each other.
  local builtin = vim.lsp.inline_completion
  return not (builtin and builtin.is_enabled({ bufnr = buf }))
end

--- @param buf integer
--- @return vim.lsp.Client?
local function client_of(buf)
  return vim.lsp.get_clients({ bufnr = buf, name = "graft_ls", method = METHOD })[1]
end

--- @param buf integer
--- @return boolean
local function typing(buf)
  return api.nvim_get_current_buf() == buf and api.nvim_get_mode().mode:sub(1, 1) == "i"
end

--- Text from the start of `row` to the cursor, and from the cursor to the end of its line.
--- @param buf integer
--- @param row integer
--- @return string? before nil if the cursor stands above
--- @return string tail
--- @return integer cursor_row
--- @return integer cursor_col
local function around(buf, row)
  local cursor = api.nvim_win_get_cursor(0)
  local cursor_row, cursor_col = cursor[1] - 1, cursor[2]
  local line = api.nvim_buf_get_lines(buf, cursor_row, cursor_row + 1, false)[1] or ""
  local tail = line:sub(cursor_col + 1)
  if cursor_row < row then
    return nil, tail, cursor_row, cursor_col
  end
  local before = table.concat(api.nvim_buf_get_text(buf, row, 0, cursor_row, cursor_col, {}), "\n")
  return before, tail, cursor_row, cursor_col
end

--- @param client vim.lsp.Client?
--- @param method string
--- @param params table
local function tell(client, method, params)
  if client and not client:is_stopped() then
    client:notify(method, params)
  end
end

--- @param state graft_ls.State
local function cancel(state)
  local request = state.request
  state.request = nil
  local timer = state.timer
  state.timer = nil
  -- It closes itself when it fires, which may be before the state has heard of it.
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
  if request and request.id then
    local client = vim.lsp.get_client_by_id(request.client_id)
    if client and not client:is_stopped() then
      client:cancel_request(request.id)
    end
  end
end

--- @param buf integer
local function hide(buf)
  local state = states[buf]
  if state and state.visible then
    state.visible = false
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- Forget the suggestion of a buffer and what is asked for it.
--- @param buf integer
function M.clear(buf)
  local state = states[buf]
  if not state then
    return
  end
  cancel(state)
  hide(buf)
  state.suggestions, state.shown, state.void = {}, nil, nil
end

--- The suggestion that fits the text of now: the chosen one, else another of the same answer.
--- @param buf integer
--- @return graft_ls.Rest? rest
--- @return graft_ls.Suggestion? suggestion
--- @return integer row of the cursor
--- @return integer col of the cursor, bytes
local function current(buf)
  local state = states[buf]
  if not state or #state.suggestions == 0 or state.void then
    return nil, nil, 0, 0
  end
  local before, tail, row, col = around(buf, state.row)
  if before then
    for step = 0, #state.suggestions - 1 do
      local index = (state.index + step - 1) % #state.suggestions + 1
      local rest = text.rest(state.suggestions[index], before, tail)
      if rest and rest.text ~= "" then
        state.index = index
        return rest, state.suggestions[index], row, col
      end
    end
  end
  return nil, nil, row, col
end

--- @param buf integer
--- @param s string
--- @return string tabs as blanks: virtual lines do not know 'tabstop'
local function expanded(buf, s)
  return (s:gsub("\t", (" "):rep(vim.bo[buf].tabstop)))
end

--- @param buf integer
--- @param rest graft_ls.Rest
--- @param row integer
--- @param col integer
local function draw(buf, rest, row, col)
  local state = states[buf]
  local menu = menus.open()
  hide(buf)
  if menu and options.menu == "hide" then
    return
  end
  state.visible = true
  local pieces, cover = text.drawing(rest)
  for _, piece in ipairs(pieces) do
    api.nvim_buf_set_extmark(buf, namespace, row, col + piece.offset, {
      virt_text = { { expanded(buf, piece.text), "GraftLsGhost" } },
      virt_text_pos = "inline",
      hl_mode = "combine",
    })
  end
  if cover then
    api.nvim_buf_set_extmark(buf, namespace, row, col, {
      virt_text = { { expanded(buf, cover), "GraftLsGhost" } },
      virt_text_pos = "overlay",
      hl_mode = "combine",
    })
  end
  local lines = vim.split(rest.text, "\n", { plain = true })
  if #lines > 1 and not (menu and options.menu == "first_line") then
    local virtual = {}
    for index = 2, #lines do
      virtual[#virtual + 1] = { { expanded(buf, lines[index]), "GraftLsGhost" } }
    end
    api.nvim_buf_set_extmark(buf, namespace, row, col, { virt_lines = virtual })
  end
end

--- Draw what is left of the suggestion, or take it away.
--- @param buf integer
--- @return boolean whether it still fits
function M.refresh(buf)
  local state = states[buf]
  if not state then
    return false
  end
  if not typing(buf) or not M.enabled(buf) then
    M.clear(buf)
    return false
  end
  local rest, suggestion, row, col = current(buf)
  if not rest or not suggestion then
    hide(buf)
    state.suggestions = {}
    return false
  end
  state.last_row = row
  draw(buf, rest, row, col)
  if state.visible and state.shown ~= suggestion.item then
    state.shown = suggestion.item
    tell(vim.lsp.get_client_by_id(state.client_id), "textDocument/didShowCompletion", { item = suggestion.item })
  end
  return true
end

--- @param buf integer
--- @param request graft_ls.Request
--- @param at table
--- @param err table?
--- @param result table?
local function answered(buf, request, at, err, result)
  local state = states[buf]
  if not state or state.request ~= request then
    return
  end
  state.request = nil
  if err then
    if not SILENT[err.code] then
      vim.lsp.log.warn("graft_ls", METHOD, err.message)
    end
    return
  end
  local items = result and (result.items or result) or {}
  if request.void or not typing(buf) or not M.enabled(buf) then
    return
  end
  local suggestions = {}
  for _, item in ipairs(items) do
    suggestions[#suggestions + 1] = text.suggestion(item, at)
  end
  state.suggestions, state.index, state.void, state.shown = suggestions, 1, nil, nil
  state.row, state.last_row, state.client_id = request.row, request.last_row, request.client_id
  if not M.refresh(buf) and request.manual then
    api.nvim_echo({ { "Graft: no suggestion here" } }, false, {})
  end
end

--- Ask the server for a suggestion at the cursor.
--- @param buf integer
--- @param manual boolean?
function M.request(buf, manual)
  local state = states[buf]
  local client = client_of(buf)
  if not state or not client or not typing(buf) or not M.enabled(buf) then
    return
  end
  if vim.fn.reg_recording() ~= "" or vim.fn.reg_executing() ~= "" then
    return
  end
  cancel(state)
  local cursor = api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  local line = api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
  local encoding = client.offset_encoding
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(buf),
    position = { line = row, character = vim.str_utfindex(line, encoding, col, false) },
    context = { triggerKind = manual and 1 or 2 },
  }
  local request = { row = row, last_row = row, client_id = client.id, manual = manual } --- @type graft_ls.Request
  state.request = request
  local at = { row = row, col = col, line = line, encoding = encoding }
  local sent, id = client:request(METHOD, params, function(err, result)
    answered(buf, request, at, err, result)
  end, buf)
  if sent then
    request.id = id
  else
    state.request = nil
  end
end

--- @param buf integer
local function request_soon(buf)
  local state = states[buf]
  cancel(state)
  if not options.auto then
    return
  end
  local timer = assert(vim.uv.new_timer())
  state.timer = timer
  timer:start(options.debounce, 0, function()
    timer:stop()
    if not timer:is_closing() then
      timer:close()
    end
    vim.schedule(function()
      if state.timer == timer then
        state.timer = nil
        M.request(buf)
      end
    end)
  end)
end

--- @param buf integer
local function typed(buf)
  -- As long as it fits, nothing needs to be asked; the server would say the same.
  if not M.refresh(buf) then
    if M.enabled(buf) and typing(buf) then
      request_soon(buf)
    end
  end
end

--- @param buf integer
local function moved(buf)
  local state = states[buf]
  if #state.suggestions > 0 then
    M.refresh(buf)
  end
  local request = state.request
  if request then
    local row = api.nvim_win_get_cursor(0)[1] - 1
    request.last_row = math.max(request.last_row, row)
  end
end

--- Take over all of the suggestion, a word or a line.
--- @param what "all"|"word"|"line"
--- @return boolean whether there was one
function M.accept(what)
  local buf = api.nvim_get_current_buf()
  local state = states[buf]
  if not state or not state.visible then
    return false
  end
  local rest, suggestion, row, col = current(buf)
  if not rest or not suggestion then
    M.clear(buf)
    return false
  end
  local part = rest.text
  if what == "word" then
    part = text.next_word(rest.text)
  elseif what == "line" then
    part = text.next_line(rest.text)
  end
  local lines = vim.split(part, "\n", { plain = true })
  local gone = text.consumed(rest, #part)
  local row_now = row + #lines - 1
  state.last_row = row_now
  hide(buf)
  api.nvim_buf_set_text(buf, row, col, row, col + gone, lines)
  api.nvim_win_set_cursor(0, { row_now + 1, (#lines == 1 and col or 0) + #lines[#lines] })
  -- The change was our own: it does not make the rest of the suggestion void.
  state.void = nil
  local client = vim.lsp.get_client_by_id(state.client_id)
  if #part == #rest.text then
    local command = suggestion.item.command
    M.clear(buf)
    if client and command and not client:is_stopped() then
      client:exec_cmd(command, { bufnr = buf })
    end
  else
    local accepted = vim.str_utfindex(suggestion.full, "utf-16", #suggestion.full - #rest.text + #part, false)
    tell(client, "textDocument/didPartiallyAcceptCompletion", { item = suggestion.item, acceptedLength = accepted })
    M.refresh(buf)
  end
  return true
end

--- Show another suggestion of the same answer.
--- @param step integer
--- @return boolean whether one is visible
function M.select(step)
  local buf = api.nvim_get_current_buf()
  local state = states[buf]
  if not state or not state.visible then
    return false
  end
  local count = #state.suggestions
  local before, tail = around(buf, state.row)
  for offset = 1, count do
    local index = (state.index + step * offset - 1) % count + 1
    local rest = before and text.rest(state.suggestions[index], before, tail)
    if rest and rest.text ~= "" then
      state.index = index
      break
    end
  end
  M.refresh(buf)
  if count > 1 then
    api.nvim_echo({ { ("Graft: suggestion %d of %d"):format(state.index, count) } }, false, {})
  end
  return true
end

--- Take the suggestion away, unwanted.
--- @return boolean whether there was one
function M.dismiss()
  local buf = api.nvim_get_current_buf()
  local state = states[buf]
  if not state or not state.visible then
    return false
  end
  local suggestion = state.suggestions[state.index]
  tell(vim.lsp.get_client_by_id(state.client_id), "graft/didRejectCompletion", { item = suggestion.item })
  M.clear(buf)
  return true
end

--- Whether a suggestion is visible in the current buffer.
--- @return boolean
function M.visible()
  local state = states[api.nvim_get_current_buf()]
  return state ~= nil and state.visible
end

--- What is visible in the current buffer, for tests and for other plugins.
--- @return { text: string, replaced: string, index: integer, count: integer }?
function M.peek()
  local buf = api.nvim_get_current_buf()
  local state = states[buf]
  local rest = state and state.visible and current(buf)
  if not rest then
    return nil
  end
  return { text = rest.text, replaced = rest.replaced, index = state.index, count = #state.suggestions }
end

--- A menu has opened or closed.
local function menu_changed()
  local buf = api.nvim_get_current_buf()
  if states[buf] and #states[buf].suggestions > 0 then
    M.refresh(buf)
  end
end

--- Begin to watch a buffer.
--- @param buf integer
function M.attach(buf)
  if not watching then
    watching = true
    menus.watch(menu_changed)
  end
  if states[buf] then
    return
  end
  local state = { suggestions = {}, index = 1, row = 0, last_row = 0, visible = false } --- @type graft_ls.State
  states[buf] = state
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last_old)
      if states[buf] ~= state then
        return true
      end
      for _, bound in ipairs({ state, state.request }) do
        if first < bound.row or last_old - 1 > bound.last_row then
          bound.void = true
        end
      end
    end,
    on_reload = function()
      M.clear(buf)
    end,
    on_detach = function()
      M.detach(buf)
    end,
  })
  local group = api.nvim_create_augroup("graft_ls.ghost." .. buf, {})
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  on({ "TextChangedI", "TextChangedP" }, function()
    typed(buf)
  end)
  on("CursorMovedI", function()
    moved(buf)
  end)
  on({ "InsertLeave", "BufLeave" }, function()
    M.clear(buf)
  end)
  -- The menu opens and closes after the event.
  on({ "CompleteChanged", "CompleteDone" }, vim.schedule_wrap(menu_changed))
  if typing(buf) and M.enabled(buf) then
    -- The server came up while someone was typing.
    request_soon(buf)
  end
end

--- Stop watching a buffer.
--- @param buf integer
function M.detach(buf)
  if not states[buf] then
    return
  end
  if api.nvim_buf_is_valid(buf) then
    M.clear(buf)
  end
  states[buf] = nil
  pcall(api.nvim_del_augroup_by_name, "graft_ls.ghost." .. buf)
end

--- Say something once in this session.
--- @param message string
function M.say_once(message)
  if not said[message] then
    said[message] = true
    vim.notify(message, vim.log.levels.WARN)
  end
end

return M
