"""Attribution: what a training file says is found again, what it does not say is not."""

import heapq
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from graft_models.weights import attribution
from graft_training import corpus, fingerprints


def text_of(seed: int, count: int) -> str:
    draw = np.random.default_rng(seed)
    return " ".join(f"name_{n}" for n in draw.integers(0, 9000, count)) + "\n"


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> attribution.Fingerprints:
    folder = tmp_path_factory.mktemp("prints")
    shared = text_of(99, 300)
    first, second = [p.name for p in corpus.read_manifest() if p.role == "train"][:2]
    texts = [(first, text_of(1, 3000) + shared), (first, text_of(2, 3000)), (second, shared + text_of(3, 3000))]
    for name, chosen in (("documents.jsonl", texts), ("heldout.jsonl", [("x", text_of(50, 4000))])):
        records = [json.dumps({"package": p, "path": "a.py", "text": t}) for p, t in chosen]
        (folder / name).write_text("\n".join(records) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "TRIALS", 20)
        assert fingerprints.main(["--work", str(folder), "--out", str(folder / "prints.bin")]) == 0
    return attribution.Fingerprints(folder / "prints.bin")


def test_both_sides_hash_alike() -> None:
    text = text_of(7, 200) + "def é(x): return {'a': 1}\n"
    assert set(fingerprints.kept_hashes(text).tolist()) == attribution.winnow(attribution.gram_hashes(text))


@pytest.mark.parametrize("start", [0, 17, 400, 2900])
def test_fifty_copied_tokens_are_always_found(prints: attribution.Fingerprints, start: int) -> None:
    copied = " ".join(text_of(3, 3000).split()[start : start + 50])
    found = prints.attribute(text_of(60, 5) + copied + " " + text_of(61, 5))
    assert [source.name for source in found] == [prints.sources[1].name]
    assert found[0].licence and found[0].version


def test_other_text_short_text_and_common_text_are_not(prints: attribution.Fingerprints) -> None:
    assert prints.attribute(text_of(70, 5000)) == ()
    assert prints.attribute(" ".join(text_of(3, 3000).split()[:30])) == ()
    assert prints.attribute(" ".join(text_of(99, 300).split()[100:160])) == ()


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.bin").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a fingerprint file"):
        attribution.Fingerprints(tmp_path / "no.bin")


def test_what_is_kept_spreads_over_all_buckets() -> None:
    kept = fingerprints.kept_hashes(text_of(8, 200_000))
    buckets = kept >> np.uint64(16)
    assert 0.45 < float(np.mean(buckets > (1 << attribution.BUCKET_BITS) // 2)) < 0.55


def test_the_shipped_file_knows_the_standard_library_and_not_this_project() -> None:
    prints = attribution.Fingerprints(Path(attribution.__file__).with_name("fingerprints.bin"))
    found = prints.attribute(inspect.getsource(heapq.merge))
    assert [source.name for source in found] == ["cpython"]
    own = [path for path in sorted(Path(corpus.__file__).parent.glob("*.py")) if prints.attribute(path.read_text())]
    assert own == []
