"""What can be told of a clean motion by linear means: the frame in which the denoiser works.

A patch of motion has 820 numbers that say the same many times over: 22 joints that move together, four frames that
hardly differ. In the eigenvectors of the patches' second moments a patch is a few hundred coordinates of known size
and no correlation, and what noise leaves of each has a closed form, the Wiener filter. The network is given these
coordinates at unit size and predicts, at unit size, what the filter leaves open: the preconditioning of EDM (Karras et
al. 2022, eq. 7, with c_skip, c_out and c_in) for every coordinate by itself. An untrained network is then the best
linear denoiser of single patches, where otherwise it would have to learn first to hand its input on.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from synth.diffusion.data import Batch
from synth.diffusion.features import FEATURES
from synth.diffusion.schedule import Schedule

LEAST = 1e-6  # of a coordinate's mean square: below it there is nothing to tell


class Basis(nn.Module):
    """Coordinates of patches, and what noise leaves of them.

    Attributes (buffers, which training does not change):
        vectors: [K, patch * 205] orthonormal, by falling size. sizes: [K] mean squares of the coordinates.
        signal: [T] sqrt(alpha bar) of the process.
    """

    vectors: Tensor
    sizes: Tensor
    signal: Tensor

    def __init__(self, patch: int, count: int, steps: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(count, patch * FEATURES))
        self.register_buffer("sizes", torch.ones(count))
        self.register_buffer("signal", torch.ones(steps))

    @torch.no_grad()
    def measure(self, batches: Iterable[Batch], schedule: Schedule) -> None:
        """Take the eigenvectors of the batches' patches, and the signal of a schedule."""
        count, width = self.vectors.shape
        total, seen = torch.zeros(width, width, dtype=torch.float64), 0
        for batch in batches:
            there = batch.condition.present[:, :, None] & batch.condition.frames[:, None]
            patches = batch.x.unflatten(2, (-1, width // FEATURES)).flatten(3)
            whole = there.unflatten(2, (-1, width // FEATURES)).all(-1)
            found = patches[whole].double()
            total += found.T @ found
            seen += len(found)
        sizes, vectors = torch.linalg.eigh(total / max(seen, 1))
        # an eigenvector's sign is the library's whim: the largest entry is positive
        vectors = vectors.flip(1)[:, :count].T
        vectors = vectors * vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
        self.vectors.copy_(vectors)
        self.sizes.copy_(sizes.flip(0)[:count].clamp_min(LEAST))
        self.signal.copy_(torch.from_numpy(schedule.alphas_bar.copy()).sqrt())

    def split(self, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy patches [B, P, N, patch * 205] at steps t [B] as what the network is given and how it is used.

        Returns:
            coordinates of unit size [B, P, N, K]; the linear estimate of the clean ones [B, P, N, K]; the standard
            deviation of its error [B, 1, 1, K].
        """
        signal = self.signal[t][:, None, None, None]
        noise = 1 - signal.square()
        total = signal.square() * self.sizes + noise
        with torch.autocast(noisy.device.type, enabled=False):  # metres need more than three digits
            given = noisy.to(self.vectors.dtype) @ self.vectors.T
        return given * total.rsqrt(), given * (signal * self.sizes / total), (self.sizes * noise / total).sqrt()

    def join(self, coordinates: Tensor) -> Tensor:
        """Patches [..., patch * 205] of coordinates [..., K]."""
        with torch.autocast(coordinates.device.type, enabled=False):
            return coordinates @ self.vectors
