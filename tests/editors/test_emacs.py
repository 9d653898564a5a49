"""Emacs with eglot, configured as docs/editors/emacs.md says: list, diagnostic, fix, saved file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from other_editors import documented, environment, program
from samples import project

SCRIPT = """
(defun wait-for (what seconds true)
  (let ((end (+ (float-time) seconds)))
    (while (not (funcall true))
      (when (> (float-time) end) (error "%s did not come" what))
      (accept-process-output nil 0.1))))
(setq native-comp-jit-compilation nil)
(require 'eglot)
(require 'flymake)
(setq eglot-sync-connect 30 eglot-connect-timeout 60)
(find-file "main.py")
(run-hooks 'post-command-hook)
(wait-for "the server" 60 #'eglot-managed-p)
(goto-char (point-max))
(insert "\\n\\ndef later(items):\\n    return make_basket(items).disc")
(eglot--signal-textDocument/didChange)
(let ((found nil))
  (wait-for "the list" 60
            (lambda ()
              (let ((capf (run-hook-with-args-until-success 'completion-at-point-functions)))
                (setq found (and (consp capf) (all-completions "disc" (nth 2 capf))))
                found)))
  (princ (format "LIST %s\\n" (mapconcat #'substring-no-properties found ","))))
(completion-at-point)
(goto-char (point-max))
(insert "\\n\\n\\nprint(make_baskt)\\n")
(save-buffer)
(flymake-mode 1)
(wait-for "a diagnostic" 60 (lambda () (flymake-start) (flymake-diagnostics)))
(princ (format "FOUND %s\\n" (flymake-diagnostic-text (car (flymake-diagnostics)))))
(goto-char (flymake-diagnostic-beg (car (flymake-diagnostics))))
(setq completing-read-function (lambda (_ table &rest _) (car (all-completions "" table))))
(eglot-code-action-quickfix (point) (1+ (point)))
(wait-for "the fix" 20 (lambda () (save-excursion (goto-char (point-min)) (search-forward "print(make_basket)" nil t))))
(save-buffer)
(eglot-shutdown (eglot-current-server))
"""


def test_list_diagnostic_and_fix(tmp_path: Path) -> None:
    emacs = program("emacs", "emacs")
    work = project(tmp_path / "shop")
    config = documented("emacs.md", "elisp")
    script = tmp_path / "script.el"
    script.write_text("\n".join([*config, SCRIPT]), "utf-8")
    done = subprocess.run(
        [str(emacs), "-Q", "--batch", "-l", str(script)],
        cwd=work,
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "LIST discount_percent" in said
    assert "FOUND `make_baskt` is not defined" in said or "make_baskt" in said.split("FOUND")[1].splitlines()[0]
    saved = (work / "main.py").read_text()
    assert "    return make_basket(items).discount_percent" in saved
    assert saved.endswith("print(make_basket)\n"), json.dumps(saved)
