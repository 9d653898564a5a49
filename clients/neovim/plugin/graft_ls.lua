if vim.g.loaded_graft_ls then
  return
end
vim.g.loaded_graft_ls = true

vim.api.nvim_create_user_command("GraftLs", function(given)
  require("graft_ls.command").run(given.fargs)
end, {
  nargs = "*",
  complete = function(lead, line)
    return require("graft_ls.command").complete(lead, line)
  end,
  desc = "Graft: status, restart, snooze, log, ...",
})
