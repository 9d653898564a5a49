"""llama.cpp through llama-cpp-python's low-level API: load, tokenize, decode, and the memory of sequences.

Everything here runs in the engine process only.  Decoding can be cut short from another thread by setting one byte:
the abort callback that llama.cpp calls between graph nodes is the C library's `strlen` over that byte and a zero, so
that no Python (and no interpreter lock) is involved.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graft_models.llama.cells import Cells
from graft_models.llama.devices import load_backends

Floats = npt.NDArray[np.float32]


def _import_low_level() -> Any:
    """`llama_cpp.llama_cpp` without the package's own `__init__`, which imports ten times as much."""
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError("llama-cpp-python is not installed", name="llama_cpp")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec  # so that others may still ask whether it is installed
        sys.modules["llama_cpp"] = package
    return importlib.import_module("llama_cpp.llama_cpp")


L = _import_low_level()
load_backends(L._lib, Path(L._base_path))


class NativeError(Exception):
    """llama.cpp refused; the message is one line."""


class Log:
    """Collects llama.cpp's own messages: warnings and errors are kept, for the one line that a user sees."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._partial = ""
        self._callback = L.llama_log_callback(self._on_message)
        L.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _on_message(self, level: int, text: bytes, _user: object) -> None:
        # Levels: 0 none, 1 debug, 2 info, 3 warn, 4 error, 5 continuation.
        if level in (3, 4) or (level == 5 and self._partial):
            self._partial += text.decode("utf-8", "replace")
            if self._partial.endswith("\n"):
                self.lines = [*self.lines[-40:], self._partial.strip()]
                self._partial = ""

    def last_error(self, default: str) -> str:
        """The most telling line: the first of the last errors, without the function's name."""
        for line in self.lines:
            for sign in ("error loading model:", "unknown model architecture", "failed to allocate", "unable to"):
                if sign in line:
                    return line[line.index(sign) :].removeprefix("error loading model:").strip()
        return self.lines[-1].split(": ", 1)[-1] if self.lines else default


@dataclass(frozen=True, slots=True)
class Options:
    """How to load: `threads` for decoding, `cells` of KV memory over all sequences, sequences, tokens per batch."""

    path: str
    threads: int
    cells: int
    sequences: int
    batch: int
    gpu_layers: int
    quantized_memory: bool = False
    """Keys and values as Q8_0: on the CPU their attention kernel is the same for any batch and any order of cells, and
    several times faster than the one for half precision."""
    repack: bool = True


class Native:
    """One model with one context."""

    def __init__(self, options: Options, log: Log) -> None:
        self.log = log
        self.options = options
        L.llama_backend_init()
        parameters = L.llama_model_default_params()
        parameters.n_gpu_layers = options.gpu_layers
        parameters.use_extra_bufts = options.repack
        self.model = L.llama_model_load_from_file(options.path.encode(), parameters)
        if not self.model:
            raise NativeError(log.last_error("llama.cpp could not load it"))
        self.vocab = L.llama_model_get_vocab(self.model)
        self.n_vocab: int = L.llama_vocab_n_tokens(self.vocab)
        self._abort = ctypes.create_string_buffer(2)
        context = L.llama_context_default_params()
        context.n_ctx = options.cells
        # llama.cpp ends the process if a batch could not hold one token of every sequence.
        context.n_batch = context.n_ubatch = max(options.batch, options.sequences)
        context.n_seq_max = options.sequences
        context.kv_unified = True
        context.n_threads = context.n_threads_batch = options.threads
        context.flash_attn_type = 1
        if options.quantized_memory:
            context.type_k = context.type_v = L.GGML_TYPE_Q8_0
        context.abort_callback = ctypes.cast(ctypes.CDLL(None).strlen, L.ggml_abort_callback)
        context.abort_callback_data = ctypes.cast(self._abort, ctypes.c_void_p)
        context.no_perf = True
        self.context = L.llama_init_from_model(self.model, context)
        if not self.context:
            raise NativeError(log.last_error("llama.cpp could not make a context"))
        self.memory = L.llama_get_memory(self.context)
        self._batch = L.llama_batch_init(options.batch, 0, options.sequences)
        self.cells = Cells(int(L.llama_n_ctx(self.context)))
        self.straightened = 0
        """How often a sequence was laid out anew."""

    def close(self) -> None:
        """Free context and model."""
        L.llama_batch_free(self._batch)
        L.llama_free(self.context)
        L.llama_model_free(self.model)

    def use_threads(self, count: int) -> None:
        """Decode with so many threads from now on.  Results do not depend on it."""
        L.llama_set_n_threads(self.context, count, count)

    # Abort: set from any thread, cleared by the thread that decodes.
    def abort(self) -> None:
        """Make the decode that runs now (or the next one) return early."""
        self._abort[0] = b"\x01"

    def clear_abort(self) -> None:
        """Allow decoding again."""
        self._abort[0] = b"\x00"

    # Vocabulary
    def tokenize(self, text: bytes) -> list[int]:
        """Plain text to tokens; special tokens written in it stay text.  Raises `NativeError`."""
        room = len(text) + 8
        out = (ctypes.c_int32 * room)()
        count = L.llama_tokenize(self.vocab, text, len(text), out, room, False, False)
        if count < 0:
            raise NativeError("the tokenizer failed")
        return out[:count]

    def piece(self, token: int, special: bool = False) -> bytes:
        """The bytes of a token; empty for a special token unless `special`."""
        buffer = ctypes.create_string_buffer(64)
        count = L.llama_token_to_piece(self.vocab, token, buffer, 64, 0, special)
        if count < 0:
            buffer = ctypes.create_string_buffer(-count)
            count = L.llama_token_to_piece(self.vocab, token, buffer, -count, 0, special)
        return buffer.raw[:count]

    def pieces(self) -> list[bytes]:
        """The bytes of every token, special ones empty."""
        buffer = ctypes.create_string_buffer(512)
        call, vocab, out = L.llama_token_to_piece, self.vocab, []
        for token in range(self.n_vocab):
            count = call(vocab, token, buffer, 512, 0, False)
            out.append(buffer.raw[:count] if count >= 0 else self.piece(token))
        return out

    def text(self, token: int) -> str:
        """A token as its vocabulary writes it."""
        raw: bytes | None = L.llama_vocab_get_text(self.vocab, token)
        return (raw or b"").decode("utf-8", "replace")

    def is_control(self, token: int) -> bool:
        """Whether a token is special (control, unknown or unused)."""
        return bool(L.llama_vocab_get_attr(self.vocab, token) & (1 | 2 | 8))

    def is_end(self, token: int) -> bool:
        """Whether llama.cpp takes it for an end of generation."""
        return bool(L.llama_vocab_is_eog(self.vocab, token))

    def meta(self) -> dict[str, str]:
        """The model's metadata as strings (arrays are left out)."""
        buffer = ctypes.create_string_buffer(4096)
        out = {}
        for i in range(L.llama_model_meta_count(self.model)):
            if L.llama_model_meta_key_by_index(self.model, i, buffer, 4096) < 0:
                continue
            key = buffer.value.decode("utf-8", "replace")
            if key.startswith("tokenizer.ggml.") and key.endswith(("tokens", "merges", "scores", "token_type")):
                continue
            if L.llama_model_meta_val_str_by_index(self.model, i, buffer, 4096) >= 0:
                out[key] = buffer.value.decode("utf-8", "replace")
        return out

    # Decoding
    def decode(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        sequences: Sequence[int | Sequence[int]],
        last: Sequence[bool],
        *,
        ordered: bool = True,
    ) -> int:
        """Evaluate one batch (at most `options.batch` tokens).  `last` marks the rows whose logits are wanted; a row
        may belong to several sequences at once.

        Returns 0, 1 (no room in memory) or 2 (aborted: memory is as before).  Raises `NativeError` otherwise.
        `ordered`: tokens of one sequence must lie in order (see `cells`); 1 is also returned if there is no room to
        see to that.
        """
        only = sequences[0]
        if ordered and isinstance(only, int) and only == sequences[-1] and not self.straighten(only, len(tokens)):
            return 1
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = positions[i]
            owner = sequences[i]
            if isinstance(owner, int):
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = owner
            else:
                batch.n_seq_id[i] = len(owner)
                for k, sequence in enumerate(owner):
                    batch.seq_id[i][k] = sequence
            batch.logits[i] = last[i]
        code: int = L.llama_decode(self.context, batch)
        if code not in (0, 1, 2):
            raise NativeError(self.log.last_error(f"llama.cpp failed to decode ({code})"))
        if code == 0:
            self.cells.put(positions, sequences)
        elif code == 2:
            self._aborted(positions, sequences)
        return code

    def _aborted(self, positions: Sequence[int], sequences: Sequence[int | Sequence[int]]) -> None:
        """llama.cpp placed the batch and took it out again, each sequence from the batch's first position on."""
        self.cells.put(positions, sequences)
        first: dict[int, int] = {}
        for position, owner in zip(positions, sequences, strict=True):
            for sequence in (owner,) if isinstance(owner, int) else owner:
                first[sequence] = min(position, first.get(sequence, position))
        for sequence, start in sorted(first.items()):
            self.cells.remove(sequence, start)

    def straighten(self, sequence: int, count: int) -> bool:
        """See to it that the next `count` tokens of a sequence lie behind its others; whether they do.

        The sequence is written out, forgotten and read back: llama.cpp then fills the free cells from below.
        """
        if self.cells.keeps_order(sequence, count):
            return True
        held = self.cells.held(sequence)
        positions = self.cells.positions[held]
        if (np.diff(positions) < 0).any() or not self.cells.fits_alone(sequence, count):
            return False
        size = int(L.llama_state_seq_get_size(self.context, sequence))
        data = (ctypes.c_uint8 * size)()
        if L.llama_state_seq_get_data(self.context, data, size, sequence) != size:
            return False
        self.remove(sequence, -1)
        if L.llama_state_seq_set_data(self.context, data, size, sequence) == 0:
            raise NativeError("llama.cpp could not read back what it wrote")
        self.cells.put(positions.tolist(), [sequence] * len(positions))
        self.straightened += 1
        return self.cells.keeps_order(sequence, count)

    def logits(self, row: int) -> Floats:
        """A copy of the logits of batch row `row` of the last decode."""
        return self.logits_view(row).copy()

    def logits_view(self, row: int) -> Floats:
        """The logits of batch row `row`, in llama.cpp's own memory: gone with the next decode."""
        pointer = L.llama_get_logits_ith(self.context, row)
        if not pointer:
            raise NativeError(f"no logits for row {row}")
        return np.ctypeslib.as_array(pointer, shape=(self.n_vocab,))

    # Memory
    def remove(self, sequence: int, start: int) -> bool:
        """Forget a sequence from position `start` on; False if this kind of memory cannot."""
        done = bool(L.llama_memory_seq_rm(self.memory, sequence, start, -1))
        if done:
            self.cells.remove(sequence, start)
        return done

    def copy(self, source: int, target: int, count: int) -> None:
        """Let `target` share the first `count` positions of `source`."""
        if count:
            L.llama_memory_seq_cp(self.memory, source, target, 0, count)
            self.cells.copy(source, target, count)

    def save(self, path: Path, sequence: int, tokens: Sequence[int]) -> int:
        """Write a sequence's memory and tokens; the number of bytes, 0 on failure."""
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        return int(L.llama_state_seq_save_file(self.context, str(path).encode(), sequence, array, len(tokens)))

    def restore(self, path: Path, sequence: int, capacity: int) -> list[int]:
        """Read a sequence back; its tokens, or an empty list if the file does not fit."""
        array = (ctypes.c_int32 * capacity)()
        count = ctypes.c_size_t(0)
        done = L.llama_state_seq_load_file(
            self.context, str(path).encode(), sequence, array, capacity, ctypes.byref(count)
        )
        tokens = array[: count.value] if done else []
        self.cells.remove(sequence, -1)
        if tokens:
            self.cells.put(range(len(tokens)), [sequence] * len(tokens))
        return tokens

    # Facts
    def train_context(self) -> int:
        """Tokens the model was trained for."""
        return int(L.llama_model_n_ctx_train(self.model))

    def bos(self) -> int | None:
        """The token that begins every prompt, if the vocabulary wants one."""
        return int(L.llama_vocab_bos(self.vocab)) if L.llama_vocab_get_add_bos(self.vocab) else None

    def is_sentencepiece(self) -> bool:
        """Whether the tokenizer may put a space before the text."""
        return bool(L.llama_vocab_type(self.vocab) == 1)
