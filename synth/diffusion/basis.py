"""What can be told of a clean motion by linear means: the frame in which the denoiser works.

A patch of motion has 820 numbers that say the same many times over: 22 joints that move together, four frames that
hardly differ. In the eigenvectors of the patches' second moments a patch is a few hundred coordinates of known size
and no correlation, and what noise leaves of each has a closed form, the Wiener filter. The network is given these
coordinates at unit size and predicts, at unit size, what the filter leaves open: the preconditioning of EDM (Karras et
al. 2022, eq. 7, with c_skip, c_out and c_in) for every coordinate by itself. An untrained network is then the best
linear denoiser of single patches, where otherwise it would have to learn first to hand its input on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from synth.diffusion.data import Batch
from synth.diffusion.features import FEATURES
from synth.diffusion.schedule import Schedule

LONGEST = 60  # patches after the first frame of which something is told
ENOUGH = 50  # patches of which a mean is taken at least
LEAST = 1e-6  # of a coordinate's mean square: below it there is nothing to tell


class Basis(nn.Module):
    """Coordinates of patches, and what noise leaves of them.

    Attributes (buffers, which training does not change):
        vectors: [K, patch * 205] orthonormal, by falling size. sizes: [K] mean squares of the coordinates.
        signal: [T] sqrt(alpha bar) of the process.
        held: [N, K] how much of the first frame's coordinate, held, is expected N patches later. left: [N, K] mean
            square of what differs from that.
    """

    vectors: Tensor
    sizes: Tensor
    signal: Tensor
    held: Tensor
    left: Tensor

    def __init__(self, patch: int, count: int, steps: int, longest: int = LONGEST) -> None:
        super().__init__()
        self.patch = patch
        self.register_buffer("held", torch.zeros(longest, count))
        self.register_buffer("left", torch.ones(longest, count))
        self.register_buffer("vectors", torch.zeros(count, patch * FEATURES))
        self.register_buffer("sizes", torch.ones(count))
        self.register_buffer("signal", torch.ones(steps))

    @torch.no_grad()
    def measure(self, batches: Sequence[Batch], schedule: Schedule) -> None:
        """Take the eigenvectors of the batches' patches, what a first frame tells of them, and a schedule's signal."""
        count, width = self.vectors.shape
        total, seen = torch.zeros(width, width, dtype=torch.float64), 0
        for batch in batches:
            patches, whole = self._patches(batch)
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
        longest = len(self.held)
        number = torch.zeros(longest, 1, dtype=torch.float64)
        first, both, then = torch.full((3, longest, count), 1e-9, dtype=torch.float64)
        for batch in batches:
            patches, whole = self._patches(batch)
            there, coordinates = whole[..., None].double(), (patches @ self.vectors.T).double()
            start = self._pose(batch.condition.start)[:, :, None].double()
            late = min(longest, patches.shape[2])
            for sums, values in ((first, start.square()), (both, start * coordinates), (then, coordinates.square())):
                sums[:late] += (values * there).sum((0, 1))[:late]
            number[:late, 0] += whole.sum((0, 1))[:late]
        held = both / first
        left = (then - held * both) / number.clamp_min(1)
        rare = (number < ENOUGH).expand_as(held)  # so late that hardly any motion tells: as if nothing were known
        self.held.copy_(torch.where(rare, 0.0, held))
        self.left.copy_(torch.where(rare, self.sizes.double(), left).clamp_min(LEAST))

    def split(self, noisy: Tensor, t: Tensor, start: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy patches [B, P, N, patch * 205] at steps t [B] as what the network is given and how it is used.

        Args:
            start: [B, P, 205] normalised features of the first frame. known: bool [B, P], whether they are known.

        Returns:
            coordinates of unit size [B, P, N, K]; the linear estimate of the clean ones [B, P, N, K]; the standard
            deviation of its error [B, P, N, K].
        """
        signal = self.signal[t][:, None, None, None]
        noise, late = (
            1 - signal.square(),
            torch.arange(noisy.shape[2], device=noisy.device).clamp_max(len(self.held) - 1),
        )
        with torch.autocast(noisy.device.type, enabled=False):  # metres need more than three digits
            given = noisy.to(self.vectors.dtype) @ self.vectors.T
            pose = self._pose(start.to(self.vectors.dtype)) * known[..., None]
            expected = pose[:, :, None] * self.held[late]
        sizes = torch.where(known[..., None, None], self.left[late], self.sizes)
        total = signal.square() * sizes + noise
        off = given - signal * expected
        return off * total.rsqrt(), expected + off * (signal * sizes / total), (sizes * noise / total).sqrt()

    def _pose(self, start: Tensor) -> Tensor:
        """Coordinates [..., K] of a patch that holds a pose [..., 205]."""
        return start @ self.vectors.unflatten(1, (self.patch, FEATURES)).sum(1).T

    def _patches(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A batch's patches [B, P, N, patch * 205], and bool [B, P, N] where they are whole."""
        there = batch.condition.present[:, :, None] & batch.condition.frames[:, None]
        cut = batch.x.shape[2] // self.patch * self.patch
        patches = batch.x[:, :, :cut].unflatten(2, (-1, self.patch)).flatten(3)
        return patches, there[:, :, :cut].unflatten(2, (-1, self.patch)).all(-1)

    def join(self, coordinates: Tensor) -> Tensor:
        """Patches [..., patch * 205] of coordinates [..., K]."""
        with torch.autocast(coordinates.device.type, enabled=False):
            return coordinates @ self.vectors
