"""Which engine answers: the user's model, the one that comes with Graft, a configured server, or none."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from pathlib import Path

from graft_models.budget import MEGABYTE
from graft_models.catalog import embedded_model
from graft_models.engine import Engine, Status
from graft_server import paths
from graft_server.settings import Settings

log = logging.getLogger("graft.engine")


def choose(settings: Settings) -> tuple[Engine | None, Status]:
    """The engine that the settings ask for, not started yet; without one, a status that says why in one line."""
    if not settings.model_enable:
        return None, Status("absent", "the model is switched off: answers come from the graph alone")
    if settings.model_remote:
        from graft_models.remote import RemoteEngine

        engine: Engine = RemoteEngine(settings.model_remote, key_file=paths.config_file().with_name("remote.key"))
        return engine, engine.status
    path = Path(settings.model_path).expanduser() if settings.model_path else embedded_model()
    if path is None:
        return None, Status("absent", "no model in this build: answers come from the graph alone")
    if not path.is_file():
        return None, Status("absent", f"model file not found: {path}; answers come from the graph alone")
    if importlib.util.find_spec("llama_cpp") is None:
        return None, Status("absent", "llama-cpp-python is not installed (pip install 'graft-ls[llama]'): graph only")
    try:
        client = importlib.import_module("graft_models.client")
    except ModuleNotFoundError as error:
        log.warning("no engine: %s", error)
        return None, Status("absent", "the engine is not installed: answers come from the graph alone")
    kv = paths.private(paths.kv_dir())
    engine = client.LlamaEngine(
        path,
        device=settings.model_device,
        threads=settings.model_threads,
        idle_minutes=settings.model_idle_minutes,
        snapshots=kv,
        memory=settings.model_memory * MEGABYTE,
    )
    return engine, engine.status
