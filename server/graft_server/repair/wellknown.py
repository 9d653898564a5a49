"""Names that Python programmers use unimported most often, and where they come from.

Only a ranking: every import that is offered is resolved by the graph first.
"""

from __future__ import annotations

_NAMES = {
    "typing": "Any Callable ClassVar Generic Literal NamedTuple Optional Protocol TypeVar TYPE_CHECKING TypedDict "
    "Union overload cast Final Self NoReturn Annotated TypeAlias ParamSpec Concatenate Never assert_never "
    "get_type_hints",
    "collections.abc": "Iterable Iterator Mapping MutableMapping Sequence MutableSequence Awaitable Coroutine "
    "Generator AsyncIterator AsyncGenerator AsyncIterable Hashable Collection Container Sized",
    "pathlib": "Path PurePath PosixPath PurePosixPath WindowsPath",
    "dataclasses": "dataclass field fields asdict astuple is_dataclass replace",
    "collections": "defaultdict deque Counter OrderedDict namedtuple ChainMap",
    "functools": "partial wraps lru_cache cached_property reduce total_ordering singledispatch cmp_to_key cache",
    "itertools": "chain product permutations combinations groupby islice count cycle repeat accumulate starmap "
    "takewhile dropwhile zip_longest pairwise tee",
    "contextlib": "contextmanager asynccontextmanager suppress ExitStack AsyncExitStack closing nullcontext "
    "redirect_stdout",
    "datetime": "datetime timedelta timezone date",
    "enum": "Enum IntEnum StrEnum Flag IntFlag auto unique",
    "abc": "ABC ABCMeta abstractmethod",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID uuid4 uuid1",
    "io": "StringIO BytesIO TextIOWrapper",
    "copy": "deepcopy",
    "pprint": "pprint pformat",
    "textwrap": "dedent indent",
    "types": "SimpleNamespace ModuleType TracebackType MappingProxyType FunctionType MethodType",
    "unittest.mock": "Mock MagicMock AsyncMock patch ANY mock_open sentinel",
    "unittest": "TestCase mock",
    "operator": "itemgetter attrgetter methodcaller",
    "concurrent.futures": "ThreadPoolExecutor ProcessPoolExecutor Future as_completed",
    "threading": "Thread Lock RLock Event",
    "queue": "Queue PriorityQueue SimpleQueue",
    "subprocess": "Popen PIPE CalledProcessError check_output DEVNULL",
    "tempfile": "TemporaryDirectory NamedTemporaryFile mkdtemp",
    "urllib.parse": "urlparse urljoin urlencode quote unquote parse_qs urlsplit",
    "urllib.request": "urlopen Request",
    "argparse": "ArgumentParser Namespace",
    "math": "sqrt ceil floor pi log log2 log10 gcd isclose inf nan",
    "random": "randint choice shuffle sample",
    "time": "sleep perf_counter monotonic",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits Template",
    "heapq": "heappush heappop heapify",
    "bisect": "bisect_left bisect_right insort",
    "weakref": "WeakKeyDictionary WeakValueDictionary WeakSet",
    "configparser": "ConfigParser",
    "json": "JSONDecodeError",
    "logging": "getLogger",
    "warnings": "warn",
    "traceback": "format_exc print_exc",
    "shutil": "rmtree copyfile which",
    "inspect": "signature getsource isclass",
    "secrets": "token_hex token_urlsafe",
    "hashlib": "sha256 md5 sha1",
    "base64": "b64encode b64decode",
    "importlib": "import_module",
    "graphlib": "TopologicalSorter",
    "ipaddress": "ip_address ip_network",
    "zoneinfo": "ZoneInfo",
    "http": "HTTPStatus",
    "socketserver": "BaseRequestHandler",
    "zipfile": "ZipFile",
    "xml.etree": "ElementTree",
    "os": "environ getcwd",
    "os.path": "join dirname basename abspath",
    "re": "Pattern Match",
    "asyncio": "gather create_task",
}

MODULES_OF: dict[str, str] = {}
"""Name -> the module it is usually imported from (the first that lists it)."""
for _module, _names in _NAMES.items():
    for _name in _names.split():
        MODULES_OF.setdefault(_name, _module)

ALIASES = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "tf": "tensorflow",
    "nn": "torch.nn",
    "sns": "seaborn",
    "ET": "xml.etree.ElementTree",
    "dt": "datetime",
    "sa": "sqlalchemy",
    "jnp": "jax.numpy",
}
"""Conventional alias -> module."""
