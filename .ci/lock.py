"""Write requirements.lock: the versions that pip would install today, one `name==version` a line.

    python3 .ci/lock.py

No hashes and no addresses: any mirror serves it.  pip only resolves (`--dry-run`), nothing is installed.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "llama,dev"
TOOLS = ("msgpack", "build", "hatchling", "editables")
"""What the editors' tests, the wheel and the editable install need beyond the extras."""

HEAD = """\
# Versions for development, tests and the demo; written by `make lock`.
"""


def main():
    """Resolve and write; returns pip's exit status."""
    venv = ROOT / ".venv/bin/python"
    python = str(venv) if venv.exists() else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--report", str(report), f"{ROOT}[{EXTRAS}]", *TOOLS]
        status = subprocess.run(command).returncode
        if status:
            return status
        items = [item["metadata"] for item in json.loads(report.read_text("utf-8"))["install"]]
    pins = {re.sub(r"[-_.]+", "-", m["name"]).lower(): m["version"] for m in items}
    pins.pop("graft-ls")
    lines = [f"{name}=={version.split('+')[0]}" for name, version in sorted(pins.items())]
    (ROOT / "requirements.lock").write_text(HEAD + "\n".join(lines) + "\n", "utf-8")
    print(f"requirements.lock: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
