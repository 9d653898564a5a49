--- What a suggestion means for the text at hand. Pure functions: strings and byte columns in, strings and byte columns out.

local M = {}

--- A suggestion, freed from the positions of the protocol.
--- @class graft_ls.Suggestion
--- @field row integer row (0-based) where the replaced range begins
--- @field full string text from the start of that row to the end of the suggestion
--- @field typed integer how many bytes of `full` stood before the cursor when it was asked for
--- @field tail string text after the cursor on its line, at that time
--- @field replaced string beginning of `tail` that the suggestion replaces
--- @field item table the item of the protocol

--- What is left of a suggestion for the text of now.
--- @class graft_ls.Rest
--- @field text string what is still to be inserted at the cursor; may have several lines
--- @field replaced string text after the cursor that it replaces

--- @param line string
--- @param encoding string
--- @param character integer
--- @return integer byte column, clipped to the line
local function to_byte(line, encoding, character)
  return vim.str_byteindex(line, encoding, character, false)
end

--- An item of `textDocument/inlineCompletion` as a suggestion.
--- @param item table
--- @param at { row: integer, col: integer, line: string, encoding: string } where it was asked for; col in bytes
--- @return graft_ls.Suggestion? nil if it does not fit the place
function M.suggestion(item, at)
  local text = item.insertText
  if type(text) ~= "string" or text == "" then
    return nil
  end
  text = text:gsub("\r\n?", "\n")
  local from, to = at.col, at.col
  if type(item.range) == "table" then
    local start, stop = item.range.start, item.range["end"]
    if start.line ~= at.row or stop.line ~= at.row then
      return nil
    end
    from = to_byte(at.line, at.encoding, start.character)
    to = to_byte(at.line, at.encoding, stop.character)
  end
  if from > at.col or to < at.col then
    return nil
  end
  return {
    row = at.row,
    full = at.line:sub(1, from) .. text,
    typed = at.col,
    tail = at.line:sub(at.col + 1),
    replaced = at.line:sub(at.col + 1, to),
    item = item,
  }
end

--- Positions in `text` (1-based) of the characters of `part`, in order, the last possible ones.
--- @param text string
--- @param part string
--- @return integer[]? nil if they do not all occur in this order
local function align(text, part)
  local at = {} --- @type integer[]
  local i = #text
  for j = #part, 1, -1 do
    while i > 0 and text:byte(i) ~= part:byte(j) do
      i = i - 1
    end
    if i == 0 then
      return nil
    end
    at[j] = i
    i = i - 1
  end
  return at
end

--- What is left of a suggestion after someone typed on, or nil if the text went another way.
--- Editors' auto-closed pairs after the cursor are taken into account, and so are closers that were typed over.
--- @param suggestion graft_ls.Suggestion
--- @param before string text from the start of the suggestion's row to the cursor
--- @param tail string text after the cursor on its line
--- @return graft_ls.Rest?
function M.rest(suggestion, before, tail)
  if #before < suggestion.typed or suggestion.full:sub(1, #before) ~= before then
    return nil
  end
  local text = suggestion.full:sub(#before + 1)
  local replaced = suggestion.replaced
  if tail ~= suggestion.tail then
    local grown, shrunk = #tail - #suggestion.tail, #suggestion.tail - #tail
    if grown > 0 and tail:sub(grown + 1) == suggestion.tail then
      local pairs_closed = tail:sub(1, grown)
      if not pairs_closed:match("^[%)%]}\"'`>]+$") then
        return nil
      end
      if not align(text, pairs_closed .. replaced) then
        return nil
      end
      replaced = pairs_closed .. replaced
    elseif shrunk > 0 and shrunk <= #replaced and suggestion.tail:sub(shrunk + 1) == tail then
      replaced = replaced:sub(shrunk + 1)
    else
      return nil
    end
  end
  if text == replaced then
    text = ""
  end
  return { text = text, replaced = replaced }
end

--- How the first line is drawn: text to put between what is there already, and text to lay over it.
--- @param rest graft_ls.Rest
--- @return { offset: integer, text: string }[] inline insertions; offset in bytes after the cursor
--- @return string? text that covers what is replaced
function M.drawing(rest)
  local first, more = rest.text:match("^([^\n]*)(.*)$")
  local at = more == "" and align(first, rest.replaced) or nil
  if rest.replaced ~= "" and not at then
    local missing = vim.fn.strdisplaywidth(rest.replaced) - vim.fn.strdisplaywidth(first)
    return {}, first .. (" "):rep(math.max(0, missing))
  end
  local pieces, from = {}, 1
  for j = 1, #rest.replaced + 1 do
    local upto = at and at[j] or #first + 1
    if upto > from then
      pieces[#pieces + 1] = { offset = j - 1, text = first:sub(from, upto - 1) }
    end
    from = upto + 1
  end
  return pieces, nil
end

--- How much of what is replaced belongs to the first `length` bytes of the rest: it goes when these come.
--- @param rest graft_ls.Rest
--- @param length integer
--- @return integer bytes
function M.consumed(rest, length)
  if length >= #rest.text then
    return #rest.replaced
  end
  local count = 0
  for _, position in ipairs(align(rest.text, rest.replaced) or {}) do
    if position <= length then
      count = count + 1
    end
  end
  return count
end

--- The next word with the blanks before it; a line break comes with the indentation and the word after it.
--- @param text string
--- @return string
function M.next_word(text)
  local word = vim.fn.matchstr(text, [=[^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\)]=])
  return word ~= "" and word or text
end

--- The rest of the line; the next whole one if the rest begins with a line break.
--- @param text string
--- @return string
function M.next_line(text)
  return text:match("^\n*[^\n]*")
end

return M
