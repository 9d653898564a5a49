"""A loaded model as the jobs see it: its format, its tokenizer, its memory, and how a prompt gets into it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from graft_models.budget import CANDIDATE_CELLS, Needs, Offload, fit_memory, offload
from graft_models.catalog import EMBEDDED_NAME
from graft_models.engine import Capabilities, ModelInfo
from graft_models.formats import FAMILIES, Choice, choose, opens, specials
from graft_models.gguf_file import GgufFile, read_gguf
from graft_models.llama.constraint import Names, ends_name
from graft_models.llama.devices import devices
from graft_models.llama.kv import Cache, Slot
from graft_models.llama.mixture import SMALL, Mixtures
from graft_models.llama.native import Floats, L, Log, Native, NativeError, Options
from graft_models.llama.snapshots import Snapshots, fingerprint
from graft_models.llama.speculation import Speculation
from graft_models.llama.table import BadTable, Table, vocabulary_hash
from graft_models.llama.vocabulary import Ids, Vocabulary
from graft_models.machine import default_threads
from graft_models.machine import memory as machine_memory
from graft_models.prompt import Hole, HoleOpens, Order

DOCUMENTS = 8
"""Sequences for documents and for the holes that are read ahead."""
STREAMS = 12
"""Sequences for candidates and for texts that are scored."""
CPU_BATCH = 64
"""Tokens per decode on the CPU; larger ones read 10 % faster, but a cancel loses what it cuts short."""
STEP_MS = 60.0
"""What a batch may take in the background."""
SAID = 128
"""Tokens of the last answer that are kept as a draft of the next."""
GPU_BATCH = 512
DEFAULT_CONTEXT = 4096
TABLE_SUFFIX = ".counts"
"""Of the file beside a model's that holds the counts of its training corpus."""
MOST_KV_BYTES = 1_500_000_000


class Model:
    """Raises `BadModelFile` or `NativeError`, each with one line, if the file cannot be used."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        context: int = 0,
        device: str = "auto",
        reuse: bool = True,
        batch: int = 0,
        repack: bool = True,
        snapshots: Path | None = None,
        log: Log | None = None,
        ceiling: int = 0,
        counts: bool = True,
    ) -> None:
        self.file = read_gguf(path)
        log = log or Log()
        self.threads = threads or default_threads()
        trained = self.file.context_length or DEFAULT_CONTEXT
        self.evaluated = 0
        """Prompt tokens that were evaluated since the model was loaded, background work included."""
        self.evaluated_background = 0
        """Of them, those that were read ahead."""
        self.reading = False
        """Whether a batch of a prompt is being evaluated now."""
        self._row_ms = 0.0
        self.context = min(context or DEFAULT_CONTEXT, trained)
        self.notes: list[str] = []
        if context > trained:
            self.notes.append(f"context of {context} tokens asked for, the model was trained for {trained}")
        kv = max(1, kv_bytes_per_token(self.file))
        cells = max(self.context + CANDIDATE_CELLS, min(self.context * 4, MOST_KV_BYTES // kv))
        needs = Needs(self.file.size, _number(self.file, "block_count", 1), kv)
        plan = offload(needs, cells, devices(L._lib), device, bool(L.llama_supports_gpu_offload()))
        repack = repack and not has_tiles()
        if plan.layers:
            try:
                self._load(path, plan.layers, cells, batch, repack, log)
            except NativeError as error:
                plan = Offload(0, "cpu", f"running on the CPU: the GPU refused the model ({error})")
        if not plan.layers:
            quantized = head_width(self.file) % 32 == 0
            needs = Needs(needs.weights, needs.layers, kv * 17 // 32 if quantized else kv)
            memory = fit_memory(needs, self.context, cells, machine_memory()[1], ceiling)
            if not memory.context:
                raise NativeError(memory.reason)
            self.context, cells = memory.context, memory.cells
            self.notes += [memory.reason] if memory.reason else []
            self._load(path, 0, cells, batch, repack and memory.copies, log)
        self.notes += [plan.reason] if plan.reason else []
        self.device = plan.device
        native = self.native
        self.pieces = native.pieces()
        control = [i for i, piece in enumerate(self.pieces) if not piece or native.is_control(i)]
        for i in control:
            self.pieces[i] = b""
        self.vocabulary = Vocabulary(self.pieces)
        self.enders = ends_name(self.vocabulary)
        metadata = native.meta()
        texts = {native.text(i): i for i in control}
        texts |= self._written_specials(texts)
        self.choice: Choice = choose(metadata, texts, native.text)
        self._space = native.tokenize(b"\n") if native.is_sentencepiece() else []
        self.choice = Choice(
            opens(self.choice.form, self._merges_break()),
            self.choice.ids,
            self.choice.message,
            self.choice.prompt_version,
        )
        self.form = self.choice.form
        self.notes += [self.choice.message] if self.choice.message else []
        self.ends = {self.choice.ids[t] for t in self.form.end if t in self.choice.ids} | set(control)
        """Tokens that end an answer: special tokens are never part of one."""
        self.end_ids = np.array(sorted(self.ends), dtype=np.int32)
        self.begin = native.bos()
        self.tokenize = lru_cache(maxsize=256)(self._tokenize)
        self.continuing = lru_cache(maxsize=256)(self._continuing)
        self.cache = Cache(native, DOCUMENTS, partial=self._probe_removal(), reuse=reuse)
        kind = "q8_0" if self.native.options.quantized_memory else "f16"
        self.snapshots = Snapshots(snapshots, fingerprint(path, kind)) if snapshots is not None else None
        self.speculation = Speculation("auto" if self.cache.partial else "off")
        self.said: dict[str, tuple[int, ...]] = {}
        """The tokens that were generated last, per document."""
        small = counts and self.file.parameters < SMALL
        self.mixtures = Mixtures(self, self._table(path)) if small else None
        self.name_sets: dict[tuple[str, ...], Names] = {}
        """Recent sets of names; each keeps the tokens allowed at the places it was asked about."""
        self.info = self._info(metadata)
        self.capabilities = Capabilities(
            infill=self.form.order is not Order.PREFIX_ONLY,
            score=True,
            constraint=True,
            candidates=STREAMS,
            snapshots=snapshots is not None,
            counts=self.mixtures is not None,
            partial_removal=self.cache.partial,
        )

    def _load(self, path: Path, gpu_layers: int, cells: int, batch: int, repack: bool, log: Log) -> None:
        """Load the weights and make the memory.  Raises `NativeError`."""
        self.batch = batch or (GPU_BATCH if gpu_layers else CPU_BATCH)
        self.native = Native(
            Options(
                path=str(path),
                threads=self.threads,
                cells=(cells + 255) // 256 * 256,
                sequences=DOCUMENTS + 2 * STREAMS,
                batch=self.batch,
                gpu_layers=gpu_layers,
                quantized_memory=gpu_layers == 0 and head_width(self.file) % 32 == 0,
                repack=repack,
            ),
            log,
        )

    def _table(self, path: Path) -> Table | None:
        """The counts of the training corpus that lie beside the model's file; a note where they cannot be used."""
        beside = path.with_suffix(TABLE_SUFFIX)
        try:
            return Table(beside, vocabulary_hash(self.pieces), len(self.pieces))
        except FileNotFoundError:
            if path.name == EMBEDDED_NAME:
                self.notes.append(f"without counts of the training corpus: {beside.name} is not there")
        except (OSError, BadTable) as error:
            self.notes.append(f"without counts of the training corpus: {str(error).splitlines()[0]}")
        return None

    def _written_specials(self, known: dict[str, int]) -> dict[str, int]:
        """Infill tokens that a file forgot to mark as special, if the vocabulary has them as one token."""
        names = {t for f in FAMILIES for t in (*specials(f), *f.end)}
        found = ((t, self.vocabulary.id_of(t.replace("▁", " ").encode())) for t in names if t not in known)
        return {t: i for t, i in found if i is not None}

    def _merges_break(self) -> bool:
        """Whether the tokenizer puts a line break and the indentation after it into one token."""
        tokens = self.native.tokenize(b"x\n    y")
        return any(b"\n" in self.pieces[t][:-1] for t in tokens)

    def _tokenize(self, text: str) -> tuple[int, ...]:
        data = text.encode("utf-8", "replace")
        if not data:
            return ()
        if self._space:
            # SentencePiece puts a space before the text; behind a line break it cannot.
            tokens = self.native.tokenize(b"\n" + data)
            if tokens[: len(self._space)] == self._space:
                return tuple(tokens[len(self._space) :])
        return tuple(self.native.tokenize(data))

    def _continuing(self, rest: bytes) -> Ids:
        """Tokens that may come where the text must begin with `rest`, as the tokenizer would cut it.

        Those that hold all of `rest`, and the first token of `rest` under a few ways to go on.  Without the second
        condition a model is led into splits that it never saw: single blanks in place of an indentation.
        """
        try:
            text = rest.decode("utf-8")
        except UnicodeDecodeError:
            return self.vocabulary.consistent_with(rest)
        firsts = {self.tokenize(text + more)[0] for more in ("", "x", "(", " ", "\n")}
        proper = [t for t in firsts if self.pieces[t] != rest and rest.startswith(self.pieces[t] or b"\xff")]
        found = np.concatenate([np.array(sorted(proper), dtype=np.int32), self.vocabulary.starting_with(rest)])
        return found if len(found) else self.vocabulary.consistent_with(rest)

    def _probe_removal(self) -> bool:
        """Whether this memory can forget the end of a sequence (hybrid and sliding-window memories cannot)."""
        tokens = self.native.tokenize(b"a b c d")[:4] or [0]
        tokens = (tokens * 4)[:4]
        if self.native.decode(tokens, range(4), [0] * 4, [False, False, False, True]) != 0:
            return False
        possible = self.native.remove(0, 2)
        self.native.remove(0, -1)
        return possible

    def _info(self, metadata: dict[str, str]) -> ModelInfo:
        languages = self.file.metadata.get("graft.languages") or ()
        return ModelInfo(
            name=self.file.name,
            path=str(self.file.path),
            architecture=self.file.architecture,
            parameters=self.file.parameters,
            quantization=self.file.quantization,
            context_length=self.context,
            device=self.device,
            format=self.form.name,
            languages=tuple(map(str, languages)) if isinstance(languages, list) else (),
            prompt_version=self.choice.prompt_version,
            licence=metadata.get("general.license", ""),
            size_bytes=self.file.size,
        )

    def open_hole(self, hole: Hole) -> Hole:
        """The hole moved to the side of the line break where this tokenizer lets it open."""
        if self.form.hole_opens is HoleOpens.BEFORE_BREAK and hole.prefix.endswith("\n"):
            return replace(hole, prefix=hole.prefix[:-1], typed="\n" + hole.typed)
        return hole

    def recall(self, document: str, tokens: Sequence[int]) -> None:
        """Before a document's first prompt is read: bring its snapshot back, if there is one."""
        if self.snapshots is None or self.cache.cost(tokens) * 2 < len(tokens):
            return
        slot = self.cache.empty()
        if slot is None:
            return
        slot.tokens = self.snapshots.restore(self.native, document, slot.sequence, self.context)
        slot.document = document if slot.tokens else ""

    def remember(self) -> None:
        """Write the prompts that are worth it to disk."""
        if self.snapshots is not None:
            for slot in self.cache.slots:
                if slot.document and slot.tokens and not slot.busy:
                    self.snapshots.save(self.native, slot.document, slot.sequence, slot.tokens)

    def remember_said(self, document: str, tokens: Sequence[int]) -> None:
        """Keep what was generated for a document; a few documents only."""
        self.said.pop(document, None)
        self.said[document] = tuple(tokens[-SAID:])
        if len(self.said) > 16:
            del self.said[next(iter(self.said))]

    def feed(self, slot: Slot, tokens: Sequence[int], *, background: bool = False) -> Iterator[int]:
        """Evaluate what of `tokens` the slot does not hold yet; the logits after the last are in `slot.ends`.

        In the background batches are so small that one takes about `STEP_MS`: a key press cuts the present one short,
        and what it had done is lost.  Yields the number of tokens evaluated after each batch, 0 after one that was cut
        short.  Raises `NativeError` if the memory is full although nothing else is in it.
        """
        if len(tokens) in slot.ends and len(slot.tokens) >= len(tokens):
            return
        if len(slot.tokens) >= len(tokens):
            self.cache.truncate(slot, len(tokens) - 1)
        ordered = True
        while (start := len(slot.tokens)) < len(tokens):
            batch = tokens[start : start + (self.step() if background else self.batch)]
            end = start + len(batch)
            last = [False] * len(batch)
            last[-1] = end == len(tokens)
            began = time.perf_counter()
            self.reading = True
            try:
                code = self.native.decode(batch, range(start, end), [slot.sequence] * len(batch), last, ordered=ordered)
            finally:
                self.reading = False
            done = 0
            if code == 0:
                self._timed(len(batch), (time.perf_counter() - began) * 1000)
                done = len(batch)
                slot.tokens += batch
                self.evaluated += len(batch)
                self.evaluated_background += len(batch) * background
                if last[-1]:
                    self.keep_logits(slot, self.native.logits(len(batch) - 1))
            elif code == 1:
                if not self.cache.evict(slot):
                    if not ordered:
                        raise NativeError("the prompt does not fit into the model's memory")
                    ordered = False
            else:
                self.native.remove(slot.sequence, start)
            yield done

    def _timed(self, rows: int, milliseconds: float) -> None:
        """Learn how long a row of a batch takes; of small ones mostly the weights are read, which says nothing."""
        if rows >= 8:
            now = milliseconds / rows
            self._row_ms = 0.7 * self._row_ms + 0.3 * now if self._row_ms else now

    def step(self) -> int:
        """Tokens per batch in the background, by the speed measured so far."""
        if not self._row_ms:
            return min(16, self.batch)
        return max(8, min(self.batch, int(STEP_MS / self._row_ms)))

    def keep_logits(self, slot: Slot, logits: Floats) -> None:
        """Remember the logits at the slot's end, so that the same prompt need not read its last token again."""
        while len(slot.ends) >= 3:
            del slot.ends[next(iter(slot.ends))]
        slot.ends[len(slot.tokens)] = logits


def aside_from(background: bool) -> int:
    """The first sequence for candidates and scored texts: a background job that was put aside keeps its own."""
    return DOCUMENTS + STREAMS * background


def has_tiles() -> bool:
    """Whether llama.cpp would use AMX tiles.

    Graft does not: their kernels round differently for one token than for many, and llama.cpp built by GCC up to 12.3
    crashes in them (the compiler drops the stores that `ldtilecfg` reads, GCC bug 114098).
    """
    return b"AMX_INT8 = 1" in L.llama_print_system_info()


def kv_bytes_per_token(file: GgufFile) -> int:
    """Bytes of key and value memory for one token, in half precision."""
    layers = _number(file, "block_count", 0)
    kv_heads = _number(file, "attention.head_count_kv", _number(file, "attention.head_count", 1))
    return layers * kv_heads * head_width(file) * 2 * 2


def head_width(file: GgufFile) -> int:
    """Elements of one attention head's key."""
    stated = _number(file, "attention.key_length", 0)
    return stated or _number(file, "embedding_length", 0) // max(1, _number(file, "attention.head_count", 1))


def _number(file: GgufFile, key: str, default: int) -> int:
    """A number of the architecture; where layers differ, the largest."""
    value = file.metadata.get(f"{file.architecture}.{key}", default)
    return max(map(int, value), default=default) if isinstance(value, list) else int(value)


def log_probability(logits: Floats, token: int) -> float:
    """Natural logarithm of the softmax at `token`."""
    return log_probabilities(logits, [token])[0]


def log_probabilities(logits: Floats, tokens: Sequence[int]) -> list[float]:
    """Natural logarithms of the softmax at `tokens`."""
    top = logits.max()
    scale = np.log(np.exp(logits - top).sum(dtype=np.float64))
    return [float(logits[t] - top - scale) for t in tokens]
