"""HMR2.0 (Goel et al., "Humans in 4D", 2023): one person's SMPL pose, shape and crop camera from a picture of them.

A ViT-H over 16 x 12 patches, then a small transformer whose one query token looks at the patches and says everything.
The names of all weights are those of the published checkpoint, which is read as it is (`load_hmr2`).
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.reconstruct.checkpoint import fill, stored_tensors

JOINTS = 24
BETAS = 10
_CAMERA = 3
_IGNORED = ("discriminator.", "smpl.", "initialized")  # of the training: a critic, the body model, a flag


@dataclass(frozen=True)
class HMR2Config:
    """Sizes of the network; the defaults are those of the published one.

    Attributes:
        image: height and width of the pictures, pixels. patch: side of a patch, pixels. padding: around the picture.
        width, depth, heads, mlp: of the vision transformer.
        head_width, head_layers, head_heads, head_mlp: of the head's transformer. head_channels: of one of its heads.
    """

    image: tuple[int, int] = (256, 192)
    patch: int = 16
    padding: int = 2
    width: int = 1280
    depth: int = 32
    heads: int = 16
    mlp: int = 5120
    head_width: int = 1024
    head_layers: int = 6
    head_heads: int = 8
    head_channels: int = 64
    head_mlp: int = 1024

    @property
    def tokens(self) -> int:
        """How many patches a picture has."""
        rows, columns = ((side + 2 * self.padding - self.patch) // self.patch + 1 for side in self.image)
        return rows * columns


OFFICIAL = HMR2Config()


@dataclass(frozen=True)
class Estimate:
    """What the network says of B people.

    Attributes:
        rotmats: [B, 24, 3, 3], each SMPL joint's rotation relative to its parent; the first is the root's in the axes
            of the crop's camera (x right, y down, z forward).
        betas: [B, 10], SMPL's shape.
        camera: [B, 3], weak-perspective scale s and shifts tx, ty in metres; `synth.reconstruct.crop` uses them.
    """

    rotmats: Tensor
    betas: Tensor
    camera: Tensor


class HMR2(nn.Module):
    """The whole network. `predict` is the way to use it."""

    def __init__(self, config: HMR2Config = OFFICIAL) -> None:
        super().__init__()
        self.config = config
        self.backbone = _VisionTransformer(config)
        self.smpl_head = _SMPLHead(config)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [B, 3, H, W] to pose as 6D [B, 144], betas [B, 10] and camera [B, 3]."""
        pose, betas, camera = self.smpl_head(self.backbone(images))
        return pose, betas, camera

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Estimate:
        """Estimate the people in crops.

        Args:
            images: [B, 3, 256, 192] (`config.image`), RGB, normalised as `synth.reconstruct.crop.crop_person` does it;
                of any device and floating type, computed in the network's.

        Raises:
            ValueError: the pictures have another shape.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, *self.config.image):
            raise ValueError(f"images of shape {tuple(images.shape)}; expected (B, 3, {self.config.image})")
        like = self.backbone.pos_embed
        pose, betas, camera = self(images.to(like.device, like.dtype))
        return Estimate(rotmats_from_6d(pose), betas, camera)


def rotmats_from_6d(pose: Tensor) -> Tensor:
    """Rotations from pairs of vectors, Gram-Schmidt (Zhou et al. 2019, eq. 15): [..., 6 n] -> [..., n, 3, 3].

    The vectors stand one after the other and become the first two COLUMNS.
    """
    first, second = pose.unflatten(-1, (-1, 2, 3)).unbind(-2)
    x = F.normalize(first, dim=-1)
    y = F.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


def load_hmr2(path: str | PathLike[str], config: HMR2Config = OFFICIAL) -> HMR2:
    """Read the network's weights; it is in evaluation mode, float32, on the CPU.

    Args:
        path: the published Lightning checkpoint, or a `.safetensors` with the same keys. Nothing in it is run.
        config: the sizes that the file must have.

    Raises:
        BadFile: unreadable or damaged; names the first key that is missing, unknown, of another shape or not finite.
    """
    with torch.device("meta"):  # no memory and no random start for weights that are replaced at once
        net = HMR2(config)
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    with stored_tensors(path) as stored:
        weights = fill(path, {name: some for name, some in stored.items() if not name.startswith(_IGNORED)}, wanted)
    net.load_state_dict(weights, strict=True, assign=True)
    return net.requires_grad_(False).eval()


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention (Vaswani et al. 2017, eq. 1) over [B, tokens, heads * channels]."""
    q, k, v = (some.unflatten(-1, (heads, -1)).transpose(1, 2) for some in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class _VisionTransformer(nn.Module):
    """ViT (Dosovitskiy et al. 2021) as ViTPose has it: no class token, but its place in `pos_embed` is kept."""

    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.patch_embed = _PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens + 1, config.width))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.last_norm = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to tokens [B, patches, width], rows first."""
        x = self.patch_embed(images) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x)


class _PatchEmbed(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, config.patch, config.padding)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = _Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = _MLP(config.width, config.mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, -1)
        return self.proj(_attend(query, key, value, self.heads))


class _MLP(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _SMPLHead(nn.Module):
    """One token asks the patches; three linear layers say how far the person is from the mean one in `init_*`."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.transformer = _TokenDecoder(config)
        self.decpose = nn.Linear(config.head_width, 6 * JOINTS)
        self.decshape = nn.Linear(config.head_width, BETAS)
        self.deccam = nn.Linear(config.head_width, _CAMERA)
        self.register_buffer("init_body_pose", torch.zeros(1, 6 * JOINTS))
        self.register_buffer("init_betas", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.zeros(1, _CAMERA))

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Patches [B, patches, width] to pose [B, 144], betas [B, 10], camera [B, 3]."""
        token = self.transformer(context)
        return (
            self.decpose(token) + self.init_body_pose,
            self.decshape(token) + self.init_betas,
            self.deccam(token) + self.init_cam,
        )


class _TokenDecoder(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(1, config.head_width)
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, config.head_width))
        self.transformer = _Decoder(config)

    def forward(self, context: Tensor) -> Tensor:
        """Patches [B, patches, width] to what the one token has learnt of them, [B, head_width]."""
        zero = context.new_zeros(len(context), 1, 1)  # HMR2.0's question is always the same
        return self.transformer(self.to_token_embedding(zero) + self.pos_embedding, context)[:, 0]


class _Decoder(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                _PreNorm(config.head_width, part(config)) for part in (_SelfAttention, _CrossAttention, _Feed)
            )
            for _ in range(config.head_layers)
        )

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        for layer in self.layers:
            for part in layer:  # type: ignore[attr-defined]
                x = x + part(x, context)
        return x


class _PreNorm(nn.Module):
    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.fn(self.norm(x), context)


class _SelfAttention(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.heads, inner = config.head_heads, config.head_heads * config.head_channels
        self.to_qkv = nn.Linear(config.head_width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.head_width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        query, key, value = self.to_qkv(x).chunk(3, -1)
        return self.to_out(_attend(query, key, value, self.heads))


class _CrossAttention(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        self.heads, inner = config.head_heads, config.head_heads * config.head_channels
        self.to_kv = nn.Linear(config.width, 2 * inner, bias=False)
        self.to_q = nn.Linear(config.head_width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.head_width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        key, value = self.to_kv(context).chunk(2, -1)
        return self.to_out(_attend(self.to_q(x), key, value, self.heads))


class _Feed(nn.Module):
    def __init__(self, config: HMR2Config) -> None:
        super().__init__()
        # nothing happens at 2 in use (it was dropout), but it gives the last layer its number, 3
        self.net = nn.Sequential(
            nn.Linear(config.head_width, config.head_mlp), nn.GELU(), nn.Identity(),
            nn.Linear(config.head_mlp, config.head_width),
        )  # fmt: skip

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.net(x)
