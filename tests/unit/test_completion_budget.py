"""The prompt's budget follows the reading speed, above a floor and below what the model was made for."""

import pytest

from graft_models.engine import ModelInfo, Usage
from graft_server.completion.budget import FILE_TOKENS, FLOOR, TRAINED, ReadingSpeed, context_tokens, prompt_tokens

OWN = ModelInfo("graft", "", context_length=2048, prompt_version=1)
OTHER = ModelInfo("qwen", "", context_length=32768)
SMALL = ModelInfo("tiny", "", context_length=256)


@pytest.mark.parametrize(
    ("speed", "model", "expected"),
    [
        (0.0, None, FLOOR),
        (80.0, OTHER, FLOOR),
        (8000.0, OTHER, 2400),
        (8000.0, OWN, TRAINED - 64),
        (0.0, SMALL, 256 - 64 - 16),
    ],
)
def test_budget(speed: float, model: ModelInfo | None, expected: int) -> None:
    assert prompt_tokens(speed, model, 64) == expected


def test_other_files_get_what_the_open_one_can_spare() -> None:
    assert context_tokens(FLOOR) == FLOOR - FILE_TOKENS
    assert context_tokens(960) == 384
    assert context_tokens(8000) == 3200
    assert context_tokens(300) == 0


def test_speed_is_learned_from_prompts_that_were_really_read() -> None:
    reading = ReadingSpeed()
    reading.saw(Usage(evaluated=2, prompt_ms=1.0))
    assert reading.tokens_per_second == 0
    reading.saw(Usage(evaluated=500, prompt_ms=500.0))
    assert reading.tokens_per_second == 1000
    reading.saw(Usage(evaluated=500, prompt_ms=250.0))
    assert reading.tokens_per_second == pytest.approx(1300)
