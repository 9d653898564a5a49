"""The settings themselves: name, type, default, and a sentence that a user understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Delay = Literal["adaptive", "none", "long"]
DiagnosticsOverlap = Literal["auto", "on", "off"]
LogLevel = Literal["error", "warning", "info", "debug"]
Eagerness = Literal["eager", "subtle", "off"]
Device = Literal["auto", "cpu", "gpu"]


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one line for the user."""


def _setting(name: str, default: Any, group: str, description: str, *, user_only: bool = False) -> Any:
    return field(
        default=default,
        metadata={"name": name, "group": group, "description": description, "user_only": user_only},
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults.  The dotted name is what users write, after `graft.`."""

    # Completion
    completion_eagerness: Eagerness = _setting(
        "completion.eagerness",
        "eager",
        "Completion",
        "Whether suggestions appear by themselves (eager), only when asked for (subtle) or never (off).",
    )
    completion_delay: Delay = _setting(
        "completion.delay",
        "adaptive",
        "Completion",
        "How long to wait after a key press: by your typing rhythm (adaptive), not at all, or long.",
    )
    completion_multiline: bool = _setting(
        "completion.multiline", True, "Completion", "Suggest whole blocks where a block begins, not only lines."
    )
    completion_in_comments: bool = _setting("completion.inComments", False, "Completion", "Suggest inside comments.")
    completion_in_strings: bool = _setting("completion.inStrings", True, "Completion", "Suggest inside strings.")
    completion_threshold: float = _setting(
        "completion.threshold",
        0.0,
        "Completion",
        "Show only suggestions at least this likely (0: the model's own default; 1: nothing).",
    )
    completion_languages_off: tuple[str, ...] = _setting(
        "completion.disabledLanguages",
        ("plaintext", "markdown", "scminput", "git-commit", "dotenv"),
        "Completion",
        "Language identifiers without suggestions.",
    )
    completion_disabled_globs: tuple[str, ...] = _setting(
        "completion.disabledGlobs",
        ("**/.env*", "**/*.pem", "**/*.key", "**/*.cert", "**/*.crt", "**/id_rsa*", "**/secrets.*"),
        "Completion",
        "Files without suggestions; they are never shown to the model as context either.",
    )
    completion_context: bool = _setting(
        "completion.context", True, "Completion", "Let the model see code of other files."
    )
    # Diagnosis
    diagnosis_enable: bool = _setting("diagnosis.enable", True, "Diagnosis", "Check files when they are saved.")
    diagnosis_disabled: tuple[str, ...] = _setting(
        "diagnosis.disabledChecks", (), "Diagnosis", "Codes of checks that are switched off."
    )
    diagnosis_enabled: tuple[str, ...] = _setting(
        "diagnosis.enabledChecks", (), "Diagnosis", "Codes of checks that are off by default and switched on."
    )
    diagnosis_exclude: tuple[str, ...] = _setting(
        "diagnosis.exclude", (), "Diagnosis", "Globs of files that are not checked."
    )
    diagnosis_overlap: DiagnosticsOverlap = _setting(
        "diagnosis.hideDuplicates",
        "auto",
        "Diagnosis",
        "Hide findings that another language server already shows at the same place.",
    )
    # Model
    model_path: str = _setting(
        "model.path", "", "Model", "A GGUF file to use; empty for the model that comes with Graft.", user_only=True
    )
    model_enable: bool = _setting(
        "model.enable", True, "Model", "Use a model; without one Graft answers from the graph alone."
    )
    model_device: Device = _setting("model.device", "auto", "Model", "Where the model runs.", user_only=True)
    model_threads: int = _setting(
        "model.threads", 0, "Model", "Threads for the model (0: physical cores minus one).", user_only=True
    )
    model_idle_minutes: int = _setting(
        "model.unloadAfterMinutes", 10, "Model", "Free the model's memory after this many idle minutes (0: never)."
    )
    model_battery: bool = _setting(
        "model.workAheadOnBattery", False, "Model", "On battery too, read ahead and prepare the next suggestion."
    )
    model_memory: int = _setting(
        "model.memoryMegabytes",
        0,
        "Model",
        "Most memory the model may take, in megabytes (0: what the machine can spare).",
        user_only=True,
    )
    model_remote: str = _setting(
        "model.remote",
        "",
        "Model",
        "Addresses of model servers to use in place of a local model, in order (see docs/remote.md).",
        user_only=True,
    )
    # Index
    index_exclude: tuple[str, ...] = _setting(
        "index.exclude", (), "Index", "Globs of files that are not indexed, beside those that git ignores."
    )
    # General
    statistics_enable: bool = _setting(
        "statistics.enable", True, "General", "Keep statistics on this machine (they never leave it)."
    )
    log_level: LogLevel = _setting("log.level", "info", "General", "How much is logged; source text only at debug.")


@dataclass(frozen=True, slots=True)
class Retired:
    """A setting of earlier versions: what is told whoever still has it, and what its old values mean today."""

    advice: str
    values: tuple[tuple[Any, str, Any], ...] = ()
    """(old value, the name of a setting, its value); values that are not named say nothing."""


RETIRED: Mapping[str, Retired] = MappingProxyType(
    {
        "completion.enable": Retired(
            "`completion.eagerness` has the value 'off'", ((False, "completion.eagerness", "off"),)
        ),
        "completion.maxTokens": Retired("suggestions end where the syntax does; `completion.multiline` allows blocks"),
        "model.contextTokens": Retired("prompts are as long as the model reads in good time here"),
        "index.jobs": Retired("`graft index --jobs N` sets it for one run"),
    }
)
"""No taste differs on these, or another setting has taken them over."""
