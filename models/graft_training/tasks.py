"""What is asked of a model in an evaluation, and one table for each task.

Lines and calls at 0, 30 and 60 percent typed, in `ARMS`: without and with what stands after the cursor, with parts of
other files matched by spelling, found by the product's graph, or matched knowing the hidden line (an oracle), and two
of them without the count model of the code at hand; and with all that Graft does (`product`): few parts, and the files
near counted beside the prompt. Bits per byte of hidden lines; HumanEval-Infilling by execution;
planted mistakes to mend, with the mistaken line hidden as repair asks today and with it shown. No threshold is
applied: every answer counts, shown or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graft_models.engine import Done, DoneReason, Engine, Request, ScoreRequest
from graft_models.prompt import ContextPart, Hole, Neighbour, anchor, cut_prefix, cut_suffix
from graft_training import edits, execution, items

SHARES = (0.0, 0.3, 0.6)  # of the line typed
PREFIX_CHARACTERS = 1700  # about 448 tokens
SUFFIX_CHARACTERS = 480  # about 128
CONTEXT_TOKENS = 256
MAX_TOKENS = 48
PROMPT_BUDGET = 896
EDIT_TOKENS = 80

ContextOf = Callable[[items.Line, str], tuple[ContextPart, ...]]
Known = tuple[tuple[ContextPart, ...], tuple[Neighbour, ...]]
ProductOf = Callable[[items.Line, str], Known]


@dataclass(frozen=True)
class Arm:
    """One way to ask for the rest of a line. `context` names one of the given sources of parts, or is empty; `product`
    gives the files that are counted too."""

    name: str
    suffix: bool = True
    context: str = ""
    counts: bool = True


ARMS = (
    Arm("no_suffix", suffix=False),
    Arm("suffix"),
    Arm("suffix_no_counts", counts=False),
    Arm("spelled", context="spelled"),
    Arm("graph", context="graph"),
    Arm("graph_no_counts", context="graph", counts=False),
    Arm("product", context="product"),
    Arm("oracle", context="oracle"),
)


@dataclass(frozen=True)
class Answer:
    """What a model said in one situation, and what was right."""

    arm: str
    line: items.Line
    typed: str
    text: str
    truth: str
    logprob: float
    tokens: int
    milliseconds: float

    @property
    def exact(self) -> bool:
        """The rest of the line is right, spaces at its end aside."""
        return self.text.rstrip() == self.truth.rstrip()

    @property
    def similarity(self) -> float:
        """Edit similarity, 0..1."""
        return items.edit_similarity(self.text.rstrip(), self.truth.rstrip())

    @property
    def names_right(self) -> bool:
        """All names of the rest of the line are right and in order."""
        return items.names(self.text) == items.names(self.truth)


async def answer_of(engine: Engine, number: int, hole: Hole, tokens: int = MAX_TOKENS, rows: int = 1) -> Done:
    """One greedy answer, to the end of the line if `rows` is 1. Raises RuntimeError where the engine fails."""
    stop = ("\n",) if rows == 1 else ()
    request = Request(number, hole, max_tokens=tokens, stop=stop, prompt_budget=PROMPT_BUDGET)
    async for event in engine.complete(request):
        if isinstance(event, Done):
            if event.reason is DoneReason.FAILED:
                raise RuntimeError(event.error)
            return event
    raise RuntimeError("the engine gave no answer")


def first_line(text: str) -> str:
    """Up to the first line break."""
    return text.split("\n", 1)[0]


def hole_of(
    line: items.Line,
    typed: str,
    suffix: bool,
    context: tuple[ContextPart, ...],
    near: tuple[Neighbour, ...] = (),
) -> Hole:
    """The anchored hole of a person who has typed `typed` of the line."""
    prefix, forced, after = anchor(line.before + typed, "\n" + line.after)
    shown = cut_suffix(after, SUFFIX_CHARACTERS) if suffix else ""
    repository = line.package if context else ""
    return Hole(line.path, cut_prefix(prefix, PREFIX_CHARACTERS), shown, forced, repository, context, near)


async def run_lines(
    engines: Mapping[bool, Engine],
    lines: Sequence[items.Line],
    contexts: Mapping[str, ContextOf],
    product: ProductOf | None = None,
) -> list[Answer]:
    """Every line in every arm whose context and engine there is. `engines`: with the count model (True), without."""
    answers = []
    number = 0
    for line in lines:
        for share in SHARES:
            typed = items.typed_part(line.text, share)
            known: dict[str, Known] = {name: (of(line, typed), ()) for name, of in contexts.items()}
            if product is not None:
                known["product"] = product(line, typed)
            for arm in ARMS:
                if arm.counts not in engines or (arm.context and arm.context not in known):
                    continue
                number += 1
                hole = hole_of(line, typed, arm.suffix, *known.get(arm.context, ((), ())))
                started = time.perf_counter()
                done = await answer_of(engines[arm.counts], number, hole)
                spent = (time.perf_counter() - started) * 1000
                logprob, count = (done.logprobs[0], done.counts[0]) if done.logprobs else (0.0, 0)
                name, truth = f"{arm.name}_{int(share * 100)}", line.text[len(typed) :]
                answers.append(Answer(name, line, typed, first_line(done.texts[0]), truth, logprob, count, spent))
    return answers


def percent(values: Sequence[float]) -> float:
    """The mean of truths or shares, in percent with two decimals."""
    return round(100 * sum(values) / max(1, len(values)), 2)


@dataclass(frozen=True)
class Hidden:
    """A whole hidden line with what a model makes of it: `nats` for `size` bytes, line break included."""

    line: items.Line
    nats: float
    size: int


async def run_bits(engine: Engine, lines: Sequence[items.Line], context: ContextOf | None = None) -> list[Hidden]:
    """Each hidden line given what stands before and after it, and parts of other files where `context` is given."""
    found = []
    for number, line in enumerate(lines):
        text = line.text + "\n"
        hole = hole_of(line, "", True, context(line, "") if context else ())
        scores = await engine.score(ScoreRequest(1_000_000 + number, hole, (text,), prompt_budget=PROMPT_BUDGET))
        if scores.error:
            raise RuntimeError(scores.error)
        found.append(Hidden(line, -scores.logprobs[0], len(text.encode())))
    return found


async def run_humaneval(engine: Engine, problems: Sequence[execution.Problem]) -> list[str]:
    """One line for each problem."""
    answers = []
    for number, problem in enumerate(problems):
        hole = Hole("solution.py", cut_prefix(problem.prompt, 2 * PREFIX_CHARACTERS), problem.suffix)
        done = await answer_of(engine, 2_000_000 + number, hole)
        answers.append(first_line(done.texts[0]) + "\n")
    return answers


@dataclass(frozen=True)
class Mended:
    """What a model wrote where a mistake was planted. `shown`: it saw the mistaken lines."""

    edit: edits.Edit
    shown: bool
    text: str

    @property
    def exact(self) -> bool:
        """The lines are as they were before the mistake."""
        return self.text.rstrip() == self.edit.fixed.rstrip()


async def run_edits(engine: Engine, planted: Sequence[edits.Edit]) -> list[Mended]:
    """Every planted mistake twice: hidden and shown. The indentation is given, as in repair."""
    found = []
    for number, edit in enumerate(planted):
        indent = edit.mistaken[: len(edit.mistaken) - len(edit.mistaken.lstrip())]
        rows = edit.last - edit.first
        for shown in (False, True):
            hole = edits.hole_of(edit, shown, indent)
            done = await answer_of(engine, 3_000_000 + 2 * number + shown, hole, EDIT_TOKENS, rows)
            text = "".join((indent + done.texts[0]).splitlines(keepends=True)[:rows])
            found.append(Mended(edit, shown, text))
    return found
