"""Tokenizer, rows, training, export: each step against the next, and the result against llama.cpp."""

import asyncio
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from graft_models.client import LlamaEngine
from graft_models.engine import ScoreRequest
from graft_models.gguf_file import read_gguf
from graft_models.prompt import GRAFT, ContextPart, Hole, segments
from graft_training import data, export, restore, tokenizer, train
from graft_training.model import PRESETS, Config, Model, sliced_loss
from graft_training.optim import orthogonalise
from graft_training.tokenizer import SPECIALS, Encoder


def rows_of(work: Path) -> np.ndarray:
    return np.fromfile(work / "train-0.bin", dtype=np.uint16).reshape(-1, data.CONTEXT)


def test_text_survives_the_tokenizer(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    draw = random.Random(1)
    for _ in range(200):
        text = "".join(draw.choice("ab_ \n\t(é→'sS9\r") for _ in range(draw.randint(0, 40)))
        assert encoder.decode(encoder.text(text)) == text


def test_the_whole_corpus_is_counted(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [json.loads(line)["text"] for line in (work / "documents.jsonl").read_text().splitlines()]
    encoder = Encoder(work / "tokenizer.json")
    tokens = sum(len(encoder.text(t)) for t in texts)
    assert tokenizer.main(["--work", str(work), "--count"]) == 0
    size = sum(len(t.encode()) for t in texts)
    assert capsys.readouterr().out == f"60 documents, {size:,} bytes, {tokens:,} tokens of {encoder.size} ids\n"


def test_byte_lengths_add_up(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    text = "def é(x):\n    return 'naïve'\n"
    assert sum(encoder.byte_lengths()[i] for i in encoder.text(text)) == len(text.encode())


def test_sentinels_in_plain_text_stay_text(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    assert not set(encoder.text("".join(SPECIALS))) & set(encoder.special.values())


def test_rows_hold_whole_samples_in_the_products_layout(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    rows = rows_of(work)
    assert rows.max() < encoder.size
    middles = 0
    for row in rows:
        text = encoder.tokenizer.decode([t for t in row if t != encoder.pad], skip_special_tokens=False)
        for sample in text.split(GRAFT.end[0])[:-1]:
            assert sample.startswith((GRAFT.file, GRAFT.repository))
            if GRAFT.middle in sample:
                order = [sample.index(t) for t in (GRAFT.prefix, GRAFT.suffix, GRAFT.middle)]
                assert order == sorted(order) and sample.rindex(GRAFT.file) < order[0]
                middles += 1
        assert text.endswith(GRAFT.end[0]) or encoder.pad not in row
    assert middles > 50


def test_rows_are_those_of_the_prompt_module(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    hole = Hole("a.py", "x = 1\n", "z = 3\n", "", "repo", (ContextPart("b.py", "def f():\n    pass\n\n"),))
    text = encoder.tokenizer.decode(encoder.segments(segments(GRAFT, hole)), skip_special_tokens=False)
    assert text == (
        "<|repo_name|>repo\n<|file_sep|>b.py\ndef f():\n    pass\n<|file_sep|>a.py\n"
        "<|fim_prefix|>x = 1\n<|fim_suffix|>z = 3\n<|fim_middle|>"
    )


def test_data_repeat_byte_for_byte(work: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        data.make(work / "documents.jsonl", work / "tokenizer.json", tmp_path / f"{name}.bin", 0, 1)
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()


def test_weights_of_the_middle(work: Path) -> None:
    encoder = Encoder(work / "tokenizer.json")
    middle, end, pad = encoder.special[GRAFT.middle], encoder.end, encoder.pad
    row = np.array([[1, middle, 7, 8, end, 2, pad, pad]])
    targets, weights = train.targets_and_weights(row, encoder, 3.0)
    assert targets[0].tolist() == [middle, 7, 8, end, 2, pad, pad, pad]
    assert weights[0].tolist() == [1.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0]


def test_the_rate_warms_up_holds_and_decays() -> None:
    recipe = train.Recipe()
    rates = [train.rate_at(p / 100, recipe) for p in range(101)]
    assert rates[0] < 0.2 and rates[10] == 1.0 and rates[100] == pytest.approx(recipe.floor)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_sliced_loss_equals_cross_entropy() -> None:
    torch.manual_seed(0)
    h, table = torch.randn(37, 16, requires_grad=True), torch.randn(50, 16, requires_grad=True)
    targets, weights = torch.randint(0, 50, (37,)), torch.rand(37)
    plain = torch.nn.functional.cross_entropy(h @ table.T, targets, reduction="none")
    expected = (plain * weights).sum() / weights.sum()
    gradients = torch.autograd.grad(expected, (h, table))
    loss = sliced_loss(h, table, targets, weights)
    assert torch.allclose(loss, expected, atol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(loss, (h, table)), gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_orthogonalise_makes_singular_values_alike() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(32, 96)).float())
    assert values.min() > 0.5 and values.max() < 1.4


def test_products_do_not_run_in_the_slow_type() -> None:
    chosen = train.fastest_type("cpu")
    other = torch.float32 if chosen == torch.bfloat16 else torch.bfloat16
    assert train.product_gflops("cpu", chosen, 512, 3) > 0.6 * train.product_gflops("cpu", other, 512, 3)


def run_for(
    work: Path, out: Path, steps: int, total: int, resume: bool = False, products: str = "float32"
) -> list[float]:
    """Losses of `steps` updates of a run planned for `total`."""
    config = Config(vocab_size=Encoder(work / "tokenizer.json").size, context=data.CONTEXT, **PRESETS["test"])
    recipe = train.Recipe(batch_rows=2, micro_rows=2, validation_rows=2, products=products)
    run = train.Run(work, config, recipe, "cpu", False, 0, 1)
    if resume:
        run.restore(torch.load(out / "checkpoint.pt"))
    losses = [run.update(train.rate_at(run.step / total, recipe)) for _ in range(steps)]
    out.mkdir(exist_ok=True)
    train.save(out / "checkpoint.pt", run.state())
    return losses


def test_a_run_goes_on_in_the_type_it_began_with(work: Path, tmp_path: Path) -> None:
    whole = run_for(work, tmp_path / "whole", 4, 4, products="bfloat16")
    first = run_for(work, tmp_path / "parts", 2, 4, products="bfloat16")
    second = run_for(work, tmp_path / "parts", 2, 4, resume=True, products="float32")
    assert whole == pytest.approx([*first, *second], abs=1e-6)
    assert whole != pytest.approx(run_for(work, tmp_path / "wide", 4, 4), abs=1e-6)
    with pytest.raises(ValueError, match="bfloat16 or float32"):
        run_for(work, tmp_path / "none", 1, 1, products="int8")


def test_a_run_learns_and_resumes_to_the_same_curve(work: Path, tmp_path: Path) -> None:
    whole = run_for(work, tmp_path / "whole", 12, 12)
    first = run_for(work, tmp_path / "parts", 5, 12)
    second = run_for(work, tmp_path / "parts", 7, 12, resume=True)
    assert whole[-1] < whole[0] - 0.1
    assert first + second == pytest.approx(whole, abs=1e-6)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train.save(tmp_path / "checkpoint.pt", {"step": 1})

    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="space"):
        train.save(tmp_path / "checkpoint.pt", {"step": 2})
    assert torch.load(tmp_path / "checkpoint.pt") == {"step": 1}


@pytest.fixture(scope="module")
def trained(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    run_for(work, folder, 6, 6)
    return folder / "checkpoint.pt"


@pytest.mark.parametrize(("kind", "tolerance"), [("f32", 0.02), ("q8_0", 0.10)])
def test_llama_cpp_gives_the_same_probabilities(
    work: Path, trained: Path, tmp_path: Path, kind: str, tolerance: float
) -> None:
    out = tmp_path / "model.gguf"
    common = ["--work", str(work), "--checkpoint", str(trained), "--out", str(out)]
    assert export.main([*common, "--type", kind, "--name", "test"]) == 0
    encoder = Encoder(work / "tokenizer.json")
    state = torch.load(trained)
    model = Model(Config(**state["config"]))
    model.load_state_dict(state["model"])
    lines = [json.loads(line)["text"] for line in (work / "heldout.jsonl").read_text().splitlines()][:3]

    async def scores() -> list[float]:
        engine = LlamaEngine(out, threads=1)
        assert (await engine.start()).state == "ready"
        found = []
        for number, text in enumerate(lines):
            answer = await engine.score(ScoreRequest(number, Hole("m.py", text[:200], text[300:400]), (text[200:300],)))
            assert not answer.error
            found.append(answer.logprobs[0] / answer.counts[0])
        await engine.close()
        return found

    ours = []
    for text in lines:
        prompt = encoder.segments(segments(GRAFT, Hole("m.py", text[:200], text[300:400])))
        answer = encoder.text(text[200:300])
        with torch.no_grad():
            logits = model.logits(torch.tensor([prompt + answer]))[0]
        logprobs = torch.log_softmax(logits, -1)
        ours.append(sum(float(logprobs[len(prompt) + i - 1, t]) for i, t in enumerate(answer)) / len(answer))
    assert asyncio.run(scores()) == pytest.approx(ours, abs=tolerance)


def test_the_file_says_what_graft_needs(work: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    assert export.main(["--work", str(work), "--checkpoint", str(trained), "--out", str(out)]) == 0
    metadata = read_gguf(out).metadata
    assert metadata["general.architecture"] == "qwen3"
    assert metadata["graft.prompt_version"] == 1
    assert metadata["graft.languages"] == ["python"]
    assert metadata["general.license"] == "apache-2.0"
    assert metadata["tokenizer.ggml.pre"] == "qwen2"
    assert metadata["tokenizer.ggml.add_bos_token"] is False


def test_a_shipped_model_can_be_trained_on(work: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    assert export.main(["--work", str(work), "--checkpoint", str(trained), "--out", str(out), "--type", "f32"]) == 0
    assert restore.main([str(out), "--work", str(tmp_path)]) == 0
    started = torch.load(tmp_path / "start.pt")
    before, after = torch.load(trained)["model"], started["model"]
    assert started["tokens"] == torch.load(trained)["tokens"] > 0
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    first, second = Encoder(work / "tokenizer.json"), Encoder(tmp_path / "tokenizer.json")
    assert first.special == second.special
    text = (work / "heldout.jsonl").read_text()[:4000]
    assert first.text(text) == second.text(text)
