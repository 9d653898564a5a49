"""What a running server holds: documents, folders with their graphs, pipelines, the engine, settings and status.

Knows no protocol: the handlers translate.  Everything here runs on the event loop, except what `GraphThread` is asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from graft_indexer.graph import SymbolGraph
from graft_indexer.syntax import language_of_id
from graft_indexer.text import Lines, Unit, decode, encode
from graft_models.engine import Engine
from graft_models.engine import Status as EngineStatus
from graft_server import engines, logs, paths
from graft_server import settings as settings_module
from graft_server.completion.edits import RecentEdits
from graft_server.completion.gate import Memory, graft_ignored
from graft_server.completion.model import Snapshot
from graft_server.completion.pipeline import Pipeline
from graft_server.diagnosis.model import Diagnostic
from graft_server.diagnosis.overlap import Foreign
from graft_server.diagnosis.pending import Pending
from graft_server.notebooks import Notebooks
from graft_server.settings import Settings
from graft_server.statistics import Statistics
from graft_server.status import ServerStatus, StatusBoard
from graft_server.workspace import BACKGROUND, Build, Document, Folder, GraphThread, Pump, innermost, project_root

log = logging.getLogger("graft.session")

Progress = Callable[[int, int], None]
"""(files done, files in all)."""
GraphFactory = Callable[[str, Settings, Progress], tuple[SymbolGraph, Build | None]]
"""Opens a folder's graph at once; what is returned beside it reads the files."""
EngineFactory = Callable[[Settings], tuple[Engine | None, EngineStatus]]

WATCH_SECONDS = 0.5
"""How often the engine's state is looked at, for `graft/status`."""
SEEN = ("completion_context", "completion_disabled_globs")
"""Settings of what the model may be shown."""
RESCAN_SECONDS = 30.0
"""Clients without file watching: the disk is compared at most so often, after a save or an opened file."""


def open_graph(root: str, settings: Settings, progress: Progress) -> tuple[SymbolGraph, Build | None]:
    """The graph of a workspace folder as its index on disk has it, and what brings it up to date.

    The index is in memory only where the cache cannot be written.  Raises NotADirectoryError if there is no folder.
    """
    from graft_indexer.environment import discover
    from graft_indexer.polyglot import PolyGraph
    from graft_indexer.workspace import Workspace
    from graft_indexer.world import World

    source = Workspace.open(
        Path(root),
        index_dir=paths.private(paths.index_dir()),
        exclude=settings.index_exclude,
        refresh=False,
    )

    def build(graph: SymbolGraph, pump: Pump) -> None:
        def step(done: int, total: int, path: str = "") -> None:
            progress(done, total)
            pump()

        pump()
        source.refresh(progress=step)

    return PolyGraph(source, World(source, discover(Path(root), None))), build


@dataclass(slots=True)
class Hooks:
    """How the session speaks to the client."""

    status: Callable[[ServerStatus], None] = lambda status: None
    progress: Callable[[str, int, int], None] = lambda root, done, total: None
    """(folder, files done, files in all); done == total ends it."""
    opened: Callable[[str], None] = lambda root: None
    """A folder's graph is ready."""
    message: Callable[[str], None] = lambda text: None


@dataclass(slots=True)
class Session:
    """One per server process."""

    engine_factory: EngineFactory = engines.choose
    graph_factory: GraphFactory = open_graph
    hooks: Hooks = field(default_factory=Hooks)
    unit: Unit = "utf-16"
    settings: Settings = field(default_factory=Settings)
    documents: dict[str, Document] = field(default_factory=dict)
    notebooks: Notebooks = field(default_factory=Notebooks)
    folders: list[Folder] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    statistics: Statistics = field(default_factory=Statistics)
    engine: Engine | None = None
    found: dict[str, tuple[int, list[Diagnostic]]] = field(default_factory=dict)
    """Diagnostics by document address, with the version they were made for."""
    unlooked: dict[str, bytes] = field(default_factory=dict)
    """Document address -> text before the first save whose consequences were not looked at to the end."""
    hints: dict[str, tuple[int, list[Diagnostic]]] = field(default_factory=dict)
    """The model's hints by document address, with the version they were made for."""
    foreign: dict[str, tuple[Foreign, ...]] = field(default_factory=dict)
    """What other servers show in a document, by its address."""
    named_tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    """Background work of which only the latest of a name counts."""
    watches_files: bool = False
    """The client tells of changed files; otherwise the session compares the disk itself."""
    _client: dict[str, Any] = field(default_factory=dict)
    _engine_status: EngineStatus = field(default_factory=lambda: EngineStatus("absent"))
    _pipelines: dict[str, Pipeline] = field(default_factory=dict)
    _pending: dict[str, Pending] = field(default_factory=dict)
    _edits: RecentEdits = field(default_factory=RecentEdits)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _starting: asyncio.Task[Any] | None = None
    _engine_chosen: bool = False
    _indexing: dict[str, tuple[int, int]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _board: StatusBoard | None = None

    # -- beginning and end ------------------------------------------------------------
    def begin(self, roots: Sequence[str], client_settings: dict[str, Any]) -> None:
        """Take the workspace folders and the client's settings.  Indexing begins with `start`."""
        self._loop = asyncio.get_running_loop()
        self._board = StatusBoard(lambda status: self.hooks.status(status))
        self._client = client_settings
        first = Path(roots[0]) if roots else None
        self.configure(client_settings, first)
        for root in roots:
            self.add_folder(root)

    def start(self) -> None:
        """The client is ready: say the status, watch the engine."""
        self.spawn(self._watch_engine())
        self.changed()

    def configure(self, client_settings: dict[str, Any], root: Path | None = None) -> None:
        """Merge the settings anew; what is wrong with them is said once, in the status."""
        self._client = client_settings
        if root is None and self.folders:
            root = Path(self.folders[0].root)
        before = self.settings
        self.settings, messages = settings_module.load(root, paths.config_file(), client=client_settings)
        logs.set_level(self.settings.log_level)
        self.statistics.enabled = self.settings.statistics_enable
        for message in messages:
            log.warning("settings: %s", message)
        if self._board is not None:
            self._board.notices = tuple(messages[:2])
        model = [f.name for f in fields(Settings) if f.name.startswith("model_")]
        if self._engine_chosen and any(getattr(before, n) != getattr(self.settings, n) for n in model):
            self.spawn(self.restart_engine())
        if any(getattr(before, n) != getattr(self.settings, n) for n in SEEN):
            # What was gathered before may be what the model must not be shown any more.
            for pipeline in self._pipelines.values():
                pipeline.cancel_all()
            self._pipelines.clear()
        self.changed()

    async def close(self) -> None:
        """End everything; takes at most a few seconds."""
        for pipeline in self._pipelines.values():
            pipeline.cancel_all()
        for task in list(self._tasks):
            task.cancel()
        if self._starting is not None:
            self._starting.cancel()
        if self.engine is not None:
            try:
                await asyncio.wait_for(self.engine.close(), 3)
            except Exception as error:
                log.warning("closing the engine: %s", error)
        for folder in self.folders:
            await asyncio.to_thread(folder.graph.close, 1.0)

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine in the background; its failure is logged, and it is cancelled at the end."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)
        return task

    def _spawned_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed: %s", error, exc_info=error)

    # -- folders ------------------------------------------------------------
    def add_folder(self, root: str) -> Folder:
        """Open the graph of a folder in the background."""
        root = str(Path(root))
        have = next((f for f in self.folders if f.root == root), None)
        if have is not None:
            return have
        loop = self._loop or asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._progressed, root, done, total)

        def opened(failure: str) -> None:
            loop.call_soon_threadsafe(self._opened, root, failure)

        settings = self.settings
        self._indexing[root] = (0, 0)
        graph = graph_thread(self.graph_factory, root, settings, progress, opened)
        folder = Folder(root, graph)
        self.folders.append(folder)
        for document in self.documents.values():
            if document.path and innermost(self.folders, document.path) is folder:
                self._sync(document)
        self.changed()
        return folder

    def remove_folder(self, root: str) -> None:
        """The folder left the workspace."""
        root = str(Path(root))
        for folder in [f for f in self.folders if f.root == root]:
            self.folders.remove(folder)
            self._pipelines.pop(root, None)
            self._pending.pop(root, None)
            self._indexing.pop(root, None)
            self.spawn(asyncio.to_thread(folder.graph.close, 1.0))
        self.changed()

    def _progressed(self, root: str, done: int, total: int) -> None:
        if root in self._indexing:
            self._indexing[root] = (done, total)
            self.hooks.progress(root, done, total)
            self.changed()

    def _opened(self, root: str, failure: str) -> None:
        done, total = self._indexing.pop(root, (0, 0))
        self.hooks.progress(root, max(done, total), max(done, total))
        if failure:
            log.error("%s", failure)
            if self._board is not None:
                self._board.notices = (*self._board.notices, failure)
        else:
            self.hooks.opened(root)
        self.changed()

    def folder_of(self, path: str) -> Folder | None:
        """The folder whose graph knows a file; a file outside all of them brings its own project along."""
        if not path:
            return None
        found = innermost(self.folders, path)
        if found is None and not self.folders:
            root = project_root(path)
            found = self.add_folder(root) if root is not None else None
        return found

    def place_of(self, document: Document) -> tuple[Folder | None, str]:
        """(folder, the path that the graph knows the document by)."""
        folder = self.folder_of(document.path)
        if folder is None:
            return None, document.path or document.uri
        return folder, folder.relative(document.path) or document.path

    # -- documents ------------------------------------------------------------
    def opened(self, document: Document) -> None:
        """A document was opened."""
        self.documents[document.uri] = document
        self._sync(document)
        self._rescan_if_due(document)
        self.warm(document)
        self.ensure_engine()

    def warm(self, document: Document) -> None:
        """Let the graph read what every later question about a document needs: builtins, imports, the usage index."""
        folder, path = self.place_of(document)
        if folder is None or document.oversized or language_of_id(document.language) is None:
            return
        end = len(document.data)

        def question(graph: SymbolGraph) -> None:
            graph.visible_names(path, end)
            graph.usages(path, end, limit=1)

        self.spawn(folder.graph.ask(question, None, priority=BACKGROUND))

    def changed_text(self, document: Document, before: bytes) -> None:
        """A document changed; `before` is its text before the change."""
        folder, path = self.place_of(document)
        if folder is not None and not graft_ignored(folder.root, path):
            self._edits.note(folder.root, path, before, document.data)
        self._sync(document)

    def saved(self, document: Document) -> None:
        """A document was saved."""
        document.saved = document.data
        self._rescan_if_due(document)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        document = self.documents.pop(uri, None)
        self.found.pop(uri, None)
        self.unlooked.pop(uri, None)
        if document is None:
            return
        folder, path = self.place_of(document)
        if folder is not None:
            folder.graph.sync(path, None)
        pipeline = self._pipelines.get(folder.root if folder is not None else "")
        if pipeline is not None:
            pipeline.forget(path)

    def _sync(self, document: Document) -> None:
        if document.oversized:
            return
        folder, path = self.place_of(document)
        if folder is not None:
            folder.graph.sync(path, document.text)

    def _rescan_if_due(self, document: Document) -> None:
        folder, _ = self.place_of(document)
        if folder is None or self.watches_files or not folder.graph.ready:
            return
        now = time.monotonic()
        if now - folder.last_scan >= RESCAN_SECONDS:
            folder.last_scan = now
            self.refresh(folder, None)

    def refresh(self, folder: Folder, changed: list[str] | None) -> None:
        """Compare files with the disk in the background: those given, or all."""
        self.spawn(folder.graph.ask(lambda graph: graph.refresh(changed), (), priority=BACKGROUND))

    def lines_of(self, folder: Folder | None, path: str) -> Lines | None:
        """Lines of a file as the graph sees it: of the open document, else of the disk; None if it cannot be read."""
        absolute = self.absolute(folder, path)
        for document in self.documents.values():
            if document.path == absolute:
                return document.lines
        try:
            return Lines(encode(decode(Path(absolute).read_bytes()).text))
        except OSError:
            return None

    def absolute(self, folder: Folder | None, path: str) -> str:
        """The absolute path of a path that the graph gave."""
        return path if folder is None or Path(path).is_absolute() else str(Path(folder.root, path))

    def snapshot(
        self,
        document: Document,
        offset: int,
        *,
        manual: bool = False,
        selected: tuple[int, int, str] | None = None,
    ) -> tuple[Pipeline, Snapshot, int]:
        """(pipeline, the document's state now, where its text begins in the document); called before a handler's first
        await.  Of a document too large to parse, the snapshot holds the cursor's surroundings; of a notebook's cell,
        the whole notebook."""
        folder, path = self.place_of(document)
        text, selection, at = document.text, selected, offset
        whole = self.notebooks.whole(document.uri, self.documents)
        if whole is not None:
            folder = self.folder_of(whole.path)
            path = folder.relative(whole.path) or whole.path if folder is not None else whole.path
            text, at = whole.text, whole.start + offset
            selection = (selected[0] + whole.start, selected[1] + whole.start, selected[2]) if selected else None
            if folder is not None:
                folder.graph.sync(path, text)
        elif document.oversized:
            text, at = window(document.data, offset)
            selection = None
        made = Snapshot(
            path=path,
            text=text,
            offset=at,
            version=document.version,
            language=document.language,
            manual=manual,
            selected=selection,
        )
        return self.pipeline(folder), made, offset - at

    def pipeline(self, folder: Folder | None) -> Pipeline:
        """The pipeline of a folder (None: of files without one)."""
        key = folder.root if folder is not None else ""
        have = self._pipelines.get(key)
        if have is None:
            have = self._pipelines[key] = Pipeline(
                folder.graph if folder is not None else None,
                lambda: self.engine,
                lambda: self.settings,
                root=key,
                repository=Path(key).name if key else "",
                memory=self.memory,
                edits=lambda path: self._edits.parts(key, path),
            )
        return have

    def pending(self, folder: Folder) -> Pending:
        """What saved changes broke in a folder and is not mended yet."""
        return self._pending.setdefault(folder.root, Pending())

    def pending_of(self, document: Document) -> Pending | None:
        """The same, if there is anything, for the folder of a document."""
        folder, _ = self.place_of(document)
        known = self._pending.get(folder.root) if folder is not None else None
        return known if known is not None and known.found else None

    def pipelines(self) -> list[Pipeline]:
        """All pipelines made so far."""
        return list(self._pipelines.values())

    # -- engine and status ------------------------------------------------------------
    def ensure_engine(self) -> None:
        """Choose and start the engine if that has not been done; returns at once."""
        if self.engine is None and self._starting is None:
            self._starting = self.spawn(self._start_engine())

    async def _start_engine(self) -> None:
        self.engine, self._engine_status = self.engine_factory(self.settings)
        self._engine_chosen = True
        self.changed()
        if self.engine is not None:
            self._engine_status = await self.engine.start()
            if self._engine_status.state == "failed":
                log.warning("the model: %s", self._engine_status.message)
        else:
            log.info("no engine: %s", self._engine_status.message)
        self.changed()

    async def restart_engine(self) -> None:
        """End the engine and choose one anew, by the present settings."""
        engine, self.engine = self.engine, None
        if engine is not None:
            await engine.close()
        self._starting = None
        self.ensure_engine()

    async def _watch_engine(self) -> None:
        seen = stamp(paths.config_file())
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = stamp(paths.config_file())
            if now != seen:
                # `graft models use` in a terminal, or an editor: no restart is needed.
                seen = now
                self.configure(self._client)
            self.changed()

    def changed(self) -> None:
        """Something that the status shows may have changed."""
        if self._board is None:
            return
        board = self._board
        board.engine = self.engine.status if self.engine is not None else self._engine_status
        if self.engine is None and not self._engine_chosen:
            board.engine = EngineStatus("unloaded", "not started yet")
        board.index = self._indexed()
        board.model_wanted = self.settings.model_enable
        board.snoozed = self.memory.snoozed
        board.enabled = self.settings.completion_eagerness != "off"
        board.changed()

    def status(self) -> ServerStatus:
        """The status now."""
        self.changed()
        return self._board.current() if self._board is not None else ServerStatus()

    def _indexed(self) -> tuple[int, int] | None:
        """(files done, files in all) of the folders that are being indexed."""
        if not self._indexing:
            return None
        return sum(d for d, _ in self._indexing.values()), sum(t for _, t in self._indexing.values())


def stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written: (time in nanoseconds, bytes); None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def graph_thread(
    factory: GraphFactory,
    root: str,
    settings: Settings,
    progress: Progress = lambda done, total: None,
    opened: Callable[[str], None] | None = None,
) -> GraphThread:
    """The thread of a folder's graph, which opens it and then reads the files."""
    builds: list[Build] = []

    def opener() -> SymbolGraph:
        graph, build = factory(root, settings, progress)
        if build is not None:
            builds.append(build)
        return graph

    def build(graph: SymbolGraph, pump: Pump) -> None:
        for work in builds:
            work(graph, pump)

    return GraphThread(root, opener, build=build, opened=opened)


WINDOW_BYTES = 48_000
"""Bytes before and after the cursor that are looked at in a document too large to parse."""


def window(data: bytes, offset: int) -> tuple[str, int]:
    """(text, offset in it): whole lines around `offset`."""
    start = data.find(b"\n", max(0, offset - WINDOW_BYTES)) + 1 if offset > WINDOW_BYTES else 0
    if start > offset:
        start = offset
    end = data.rfind(b"\n", offset, offset + WINDOW_BYTES) if len(data) > offset + WINDOW_BYTES else len(data)
    end = end if end >= offset else min(len(data), offset + WINDOW_BYTES)
    return data[start:end].decode("utf-8", "replace"), offset - start
