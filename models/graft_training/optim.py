"""Muon for matrices, Adam for everything else.

Muon (Jordan et al. 2024): momentum, then the nearest orthogonal matrix by five Newton-Schulz steps. Fused matrices
(query, key and value; gate and up) are orthogonalised part by part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.95)
ADAM_EPS = 1e-10


def orthogonalise(matrix: Tensor, kind: torch.dtype = torch.bfloat16) -> Tensor:
    """Newton-Schulz iteration towards U V^T of `matrix` [rows, columns], in `kind`."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.to(kind)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T.contiguous()
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.T if tall else x
    return result


class Muon:
    """Optimizer of matrices. `parts` says into how many row blocks each matrix falls (sizes in rows); products run in
    `kind`."""

    def __init__(
        self, matrices: Iterable[tuple[Tensor, list[int]]], weight_decay: float, kind: torch.dtype = torch.bfloat16
    ) -> None:
        self.matrices = list(matrices)
        self.weight_decay = weight_decay
        self.kind = kind
        self.momenta = [torch.zeros_like(m) for m, _ in self.matrices]

    def step(self, rate: float, momentum: float = MOMENTUM) -> None:
        """One update at learning rate `rate`; uses and keeps each matrix's `.grad`."""
        with torch.no_grad():
            for (matrix, parts), kept in zip(self.matrices, self.momenta, strict=True):
                assert matrix.grad is not None
                kept.lerp_(matrix.grad, 1 - momentum)
                update = matrix.grad.lerp(kept, momentum)
                matrix.mul_(1 - rate * self.weight_decay)
                for rows, piece in zip(torch.split(matrix, parts), torch.split(update, parts), strict=True):
                    scale = max(1.0, rows.shape[0] / rows.shape[1]) ** 0.5
                    rows.add_(orthogonalise(piece, self.kind), alpha=-rate * scale)

    def state_dict(self) -> dict[str, Any]:
        """The momenta, in order."""
        return {"momenta": self.momenta}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        for kept, saved in zip(self.momenta, state["momenta"], strict=True):
            kept.copy_(saved)
