"""HMR2.0: the network equals independent formulas, its file is safe to open, crops and cameras fit the picture."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional as F

from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.errors import BadFile, BadOption
from synth.reconstruct.checkpoint import fill, stored_tensors
from synth.reconstruct.crop import (
    Crop,
    crop_of_box,
    crop_person,
    crop_pixels,
    crop_translation,
    full_translation,
    place,
    viewing_rotation,
)
from synth.reconstruct.hmr2 import HMR2, HMR2Config, load_hmr2, rotmats_from_6d

# the head's inner width (3 * 8) is not its width, as in the published network
TINY = HMR2Config(
    image=(64, 48), width=32, depth=2, heads=4, mlp=48,
    head_width=20, head_layers=2, head_heads=3, head_channels=8, head_mlp=28,
)  # fmt: skip


@pytest.fixture
def net() -> HMR2:
    """A tiny network with every weight and buffer random."""
    torch.manual_seed(5)
    made = HMR2(TINY).eval()
    with torch.no_grad():
        for value in made.state_dict().values():
            value.copy_(torch.randn_like(value) * 0.2)
    return made


def as_published(net: HMR2) -> dict[str, Tensor]:
    """The state dict with what the training leaves in it."""
    others = {"smpl.faces": torch.arange(6), "discriminator.w": torch.ones(2), "initialized": torch.tensor(True)}
    return net.state_dict() | others


# the network


def test_official_network_has_the_published_tensors() -> None:
    with torch.device("meta"):
        net = HMR2()
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert len(shapes) == 503
    assert sum(p.numel() for p in net.backbone.parameters()) / 1e6 == pytest.approx(630.9, abs=0.05)
    assert sum(v.numel() for v in net.smpl_head.state_dict().values()) / 1e6 == pytest.approx(39.5, abs=0.05)
    layer = "smpl_head.transformer.transformer.layers.5."
    published = {
        "backbone.pos_embed": (1, 193, 1280),
        "backbone.patch_embed.proj.weight": (1280, 3, 16, 16),
        "backbone.blocks.31.norm1.weight": (1280,),
        "backbone.blocks.31.attn.qkv.weight": (3840, 1280),
        "backbone.blocks.31.attn.qkv.bias": (3840,),
        "backbone.blocks.31.attn.proj.bias": (1280,),
        "backbone.blocks.31.norm2.bias": (1280,),
        "backbone.blocks.31.mlp.fc1.weight": (5120, 1280),
        "backbone.blocks.31.mlp.fc2.weight": (1280, 5120),
        "backbone.last_norm.weight": (1280,),
        "smpl_head.init_body_pose": (1, 144),
        "smpl_head.init_betas": (1, 10),
        "smpl_head.init_cam": (1, 3),
        "smpl_head.decpose.weight": (144, 1024),
        "smpl_head.decshape.weight": (10, 1024),
        "smpl_head.deccam.bias": (3,),
        "smpl_head.transformer.pos_embedding": (1, 1, 1024),
        "smpl_head.transformer.to_token_embedding.weight": (1024, 1),
        layer + "0.norm.weight": (1024,),
        layer + "0.fn.to_qkv.weight": (1536, 1024),
        layer + "0.fn.to_out.0.weight": (1024, 512),
        layer + "1.norm.bias": (1024,),
        layer + "1.fn.to_kv.weight": (1024, 1280),
        layer + "1.fn.to_q.weight": (512, 1024),
        layer + "1.fn.to_out.0.bias": (1024,),
        layer + "2.norm.weight": (1024,),
        layer + "2.fn.net.0.weight": (1024, 1024),
        layer + "2.fn.net.3.bias": (1024,),
    }
    assert {name: shapes.get(name) for name in published} == published
    assert not any(name.endswith(("to_qkv.bias", "to_kv.bias", "to_q.bias")) for name in shapes)
    assert net.config.tokens == 16 * 12


def test_backbone_equals_torchs_own_transformer(net: HMR2) -> None:
    images = torch.randn(2, 3, *TINY.image)
    with torch.no_grad():  # tokens so small that the norms' epsilon shows
        for value in (net.backbone.pos_embed, *net.backbone.patch_embed.parameters()):
            value.mul_(1e-3)
    weights = {name: value.double() for name, value in net.backbone.state_dict().items()}
    patches = F.unfold(F.pad(images.double(), (2, 2, 2, 2)), 16, stride=16)
    x = weights["patch_embed.proj.weight"].flatten(1) @ patches + weights["patch_embed.proj.bias"][:, None]
    x = x.transpose(1, 2) + weights["pos_embed"][:, 1:] + weights["pos_embed"][:, :1]
    theirs = {"norm1": "norm1", "norm2": "norm2", "attn.proj": "self_attn.out_proj", "mlp.fc1": "linear1"}
    theirs |= {"mlp.fc2": "linear2", "attn.qkv": "self_attn.in_proj"}
    for i in range(TINY.depth):
        layer = nn.TransformerEncoderLayer(
            TINY.width, TINY.heads, TINY.mlp, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
        ).double()
        renamed = {}
        for name, other in theirs.items():
            for kind in ("weight", "bias"):
                joint = "_" if name == "attn.qkv" else "."
                renamed[other + joint + kind] = weights[f"blocks.{i}.{name}.{kind}"]
        layer.load_state_dict(renamed)
        x = layer.train()(x)  # not its fused path
    x = F.layer_norm(x, (TINY.width,), weights["last_norm.weight"], weights["last_norm.bias"], 1e-6)
    assert x.shape == (2, TINY.tokens, TINY.width)
    assert torch.allclose(net.backbone(images), x.float(), atol=1e-5)


def plain_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """One person, head by head."""
    size, out = TINY.head_channels, []
    for h in range(TINY.head_heads):
        part = slice(h * size, (h + 1) * size)
        scores = np.exp(q[:, part] @ k[:, part].T / np.sqrt(size))
        out.append(scores / scores.sum(-1, keepdims=True) @ v[:, part])
    return np.concatenate(out, -1)


def test_head_equals_plain_formulas(net: HMR2) -> None:
    context = torch.randn(2, 7, TINY.width)
    found = [value.detach().numpy() for value in net.smpl_head(context)]
    w = {name: value.double().numpy() for name, value in net.smpl_head.state_dict().items()}

    def norm(x: np.ndarray, at: str) -> np.ndarray:
        unit = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return unit * w[at + "norm.weight"] + w[at + "norm.bias"]

    def linear(x: np.ndarray, at: str) -> np.ndarray:
        return x @ w[at + ".weight"].T + w.get(at + ".bias", 0.0)

    for person, seen in enumerate(context.double().numpy()):
        x = w["transformer.to_token_embedding.bias"][None] + w["transformer.pos_embedding"][0]
        for i in range(TINY.head_layers):
            at = f"transformer.transformer.layers.{i}."
            q, k, v = np.split(linear(norm(x, at + "0."), at + "0.fn.to_qkv"), 3, -1)
            x = x + linear(plain_attention(q, k, v), at + "0.fn.to_out.0")
            k, v = np.split(linear(seen, at + "1.fn.to_kv"), 2, -1)
            q = linear(norm(x, at + "1."), at + "1.fn.to_q")
            x = x + linear(plain_attention(q, k, v), at + "1.fn.to_out.0")
            hidden = F.gelu(torch.from_numpy(linear(norm(x, at + "2."), at + "2.fn.net.0"))).numpy()
            x = x + linear(hidden, at + "2.fn.net.3")
        for out, decoder, start in zip(
            found, ("decpose", "decshape", "deccam"), ("init_body_pose", "init_betas", "init_cam"), strict=True
        ):
            assert np.abs(out[person] - (linear(x, decoder)[0] + w[start][0])).max() < 1e-5


def test_6d_pairs_are_the_first_two_columns() -> None:
    rotations = Rotation.random(24, random_state=1).as_matrix()
    first, second = rotations[:, :, 0], rotations[:, :, 1]
    six = np.concatenate([first * 3.0, second * 0.5 + first * 2.0], -1)  # Gram-Schmidt takes this back
    found = rotmats_from_6d(torch.from_numpy(six.reshape(1, 144)))
    assert np.abs(found[0].numpy() - rotations).max() < 1e-9


# the file


class _CfgNode(dict):
    pass


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> type:
    """yacs's class; the test removes it before the file is read."""
    module = types.ModuleType("yacs.config")
    made = type("CfgNode", (_CfgNode,), {"__module__": "yacs.config"})
    module.CfgNode = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    return made


def same(one: HMR2, two: HMR2) -> bool:
    return all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_lightning_checkpoint_loads_without_its_classes(net, foreign, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    config = foreign(MODEL=foreign(IMAGE_SIZE=256))
    config.frozen = True
    content = {
        "epoch": 35,
        "state_dict": as_published(net),
        "hyper_parameters": {"cfg": config, "types": {int, Path("x")}},
        "optimizer_states": [{"state": {0: torch.ones(3)}}],
    }
    path = tmp_path / "epoch=35-step=1000000.ckpt"
    torch.save(content, path)
    for name in ("yacs", "yacs.config"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        torch.load(path, weights_only=True)
    loaded = load_hmr2(path, TINY)
    assert same(net, loaded)
    assert not loaded.training
    save_file(net.state_dict(), tmp_path / "hmr2.safetensors")
    assert same(net, load_hmr2(tmp_path / "hmr2.safetensors", TINY))
    images = torch.randn(3, 3, *TINY.image)
    estimate = loaded.predict(images)
    assert [tuple(v.shape) for v in vars(estimate).values()] == [(3, 24, 3, 3), (3, 10), (3, 3)]
    assert torch.allclose(estimate.betas, net(images)[1], atol=1e-6)
    with pytest.raises(ValueError, match="expected"):
        loaded.predict(torch.zeros(1, 3, 256, 256))


class _Hostile:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return self.call


def test_hostile_checkpoints_run_nothing(net: HMR2, tmp_path: Path) -> None:
    import subprocess

    trace, path = tmp_path / "trace", tmp_path / "hostile.ckpt"
    attacks = [
        _Hostile(os.system, f"touch {trace}"),
        _Hostile(subprocess.check_call, ["touch", str(trace)]),
        _Hostile(eval, f"open({str(trace)!r}, 'w')"),
        _Hostile(open, str(trace), "w"),
    ]
    for attack in attacks:
        torch.save({"state_dict": as_published(net), "hyper_parameters": {"cfg": attack}}, path)
        assert same(net, load_hmr2(path, TINY))  # inert where nothing is needed of it
        torch.save({"state_dict": as_published(net) | {"smpl_head.init_cam": attack}}, path)
        with pytest.raises(BadFile, match=r"smpl_head\.init_cam: found an object of .*nothing was run"):
            load_hmr2(path, TINY)
        torch.save({"state_dict": attack}, path)
        with pytest.raises(BadFile, match="state_dict"):
            load_hmr2(path, TINY)
    assert not trace.exists()


class _Storage:
    """In a pickle, a reference to eight numbers in the zip file."""

    def __init__(self, *reference: object) -> None:
        self.reference = reference or ("storage", torch.FloatStorage, "0", "cpu", 8)


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return value.reference if isinstance(value, _Storage) else None


@pytest.mark.parametrize(
    ("storage", "view", "message"),
    [
        (_Storage(), (6, (1, 3), (3, 1)), "number 8 of 8"),
        (_Storage(), (0, (1, 3), (3, -1)), "not whole numbers"),
        (_Storage(), (0, (1, 3), (3,)), "strides"),
        (_Storage(), (0, (1 << 40, 3), (0, 0)), "at most"),
        (_Storage(), ("0", (1, 3), (3, 1)), "not whole numbers"),
        (_Storage("storage", torch.FloatStorage, "0", "cpu", 1 << 40), (0, (1, 3), (3, 1)), "32 bytes in"),
        (_Storage("storage", torch.FloatStorage, "../data.pkl", "cpu", 8), (0, (1, 3), (3, 1)), "no item named"),
        (_Storage("file", "x"), (0, (1, 3), (3, 1)), "not to a torch storage"),
        ([1.0] * 8, (0, (1, 3), (3, 1)), "a dense tensor"),
    ],
)
def test_tensors_outside_their_numbers_are_refused(tmp_path: Path, storage, view, message: str) -> None:  # type: ignore[no-untyped-def]
    buffer = io.BytesIO()
    tensor = _Hostile(torch._utils._rebuild_tensor_v2, storage, *view, False, {})
    _Pickler(buffer, 2).dump({"state_dict": {"init_cam": tensor}})
    path = tmp_path / "views.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("views/data.pkl", buffer.getvalue())
        archive.writestr("views/data/0", bytes(32))
    with pytest.raises(BadFile, match=message), stored_tensors(path) as stored:
        fill(path, stored, {"init_cam": (1, 3)})


def rewritten(source: Path, target: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """A copy of a zip file with `change(name, bytes)` in the place of each member's bytes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def test_damaged_checkpoints_are_named(net: HMR2, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.ckpt", tmp_path / "bad.ckpt"
    torch.save({"state_dict": as_published(net)}, good)
    raw = good.read_bytes()
    for content in (raw[: len(raw) // 2], raw[:-30], b"", b"not a zip file"):
        bad.write_bytes(content)
        with pytest.raises(BadFile, match=r"bad\.ckpt: file"):
            load_hmr2(bad, TINY)
    start = raw.index(net.state_dict()["backbone.blocks.1.mlp.fc1.weight"].numpy().tobytes())
    bad.write_bytes(raw[:start] + b"\xff" + raw[start + 1 :])
    with pytest.raises(BadFile, match=r"blocks\.1\.mlp\.fc1\.weight.*CRC"):
        load_hmr2(bad, TINY)
    cut = rewritten(good, bad, lambda name, data: data[:-4] if "/data/" in name else data)
    with pytest.raises(BadFile, match="bytes in"):
        load_hmr2(cut, TINY)
    # a memo entry that makes the plain unpickler claim 32 GB
    bomb = rewritten(good, bad, lambda name, data: b"\x80\x02}r\xff\xff\xff\x7f." if "data.pkl" in name else data)
    with pytest.raises(BadFile, match="object number"):
        load_hmr2(bomb, TINY)
    with pytest.raises(BadFile, match="No such file"):
        load_hmr2(tmp_path / "absent.ckpt", TINY)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backbone.blocks.1.attn.qkv.bias", None, "found nothing"),
        ("smpl_head.decpose.weight", torch.zeros(144, 21), r"found shape \(144, 21\); expected shape \(144, 20\)"),
        ("smpl_head.more", torch.zeros(1), "no such tensor"),
        ("smpl_head.init_cam", torch.tensor([[1.0, np.nan, 0.0]]), "not finite"),
        ("smpl_head.init_betas", torch.zeros(1, 10, dtype=torch.int64), "int64"),
        ("backbone.last_norm.bias", "text", "found str"),
    ],
)
def test_wrong_weights_are_named(net: HMR2, tmp_path: Path, key: str, value: object, message: str) -> None:
    state: dict[str, object] = dict(as_published(net))
    if value is None:
        del state[key]
    else:
        state[key] = value
    torch.save({"state_dict": state}, tmp_path / "wrong.ckpt")
    with pytest.raises(BadFile, match=f"{key}.*{message}"):
        load_hmr2(tmp_path / "wrong.ckpt", TINY)


# the crop and the camera


def wavy_picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 3 + i) * np.cos(columns / 4 - i) for i in range(3)]
    return np.round(127 + 120 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize(
    "box",
    [
        (100.3, 50.7, 180.1, 240.2),  # enlarged
        (-60.0, 20.0, 90.0, 330.0),  # over the edge
        (300.0, 520.0, 1260.0, 920.0),  # wide: the width decides; 1280 pixels, blurred, no edge near
        (-500.0, -400.0, 2900.0, 1900.0),  # far over all edges
    ],
)
def test_crop_equals_opencv(box: tuple[float, float, float, float]) -> None:
    image = wavy_picture(1500, 1900)
    crop = crop_of_box(box)
    left, top, right, bottom = box
    side = max(bottom - top, (right - left) * 256 / 192)
    assert float(crop.size) == pytest.approx(side)
    blurred = image
    if side / 512 > 1.1:
        sigma = (side / 512 - 1) / 2
        # skimage's gaussian: mode nearest, cut at four sigmas
        width = 2 * int(4 * sigma + 0.5) + 1
        blurred = cv2.GaussianBlur(image.astype(float), (width, width), sigma, borderType=cv2.BORDER_REPLICATE)
    scale = 256 / side
    shift = 128 - scale * (np.array([left + right, top + bottom]) / 2)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    expected = cv2.warpAffine(blurred, matrix, (256, 256), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    found = crop_pixels(image, crop)
    far = np.abs(found - expected)
    # OpenCV rounds places to 1/32 pixel, which shows at the black border: 255 / 32
    inside = cv2.erode((expected.sum(-1) > 0).astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert far[inside].max() < 2
    assert far.max() < 9
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    seen = crop_person(image, crop)
    assert seen.dtype == torch.float32
    again = seen.numpy().transpose(1, 2, 0) * deviation + mean
    assert np.abs(again * 255 - found[:, 32:224]).max() < 1e-3


def test_boxes_that_are_none_are_refused() -> None:
    for box in ([0, 0, 0, 5], [0, 0, np.nan, 5], [0, 0, 1e9, 1e9], [1, 2, 3]):
        with pytest.raises(BadOption, match="box"):
            crop_of_box(box)
    with pytest.raises(BadOption, match="image"):
        crop_person(np.zeros((5, 5)), crop_of_box([0, 0, 4, 4]))
    assert not crop_pixels(wavy_picture(8, 8), crop_of_box([100, 100, 104, 104])).any()


BOXES = np.array([[100.0, 200.0, 330.0, 900.0], [1500.0, 100.0, 1910.0, 500.0], [800.0, 300.0, 1000.0, 800.0]])
CROP_CAMERAS = np.array([[0.9, 0.05, 0.2], [0.7, -0.1, 0.1], [1.1, 0.0, 0.0]])


def seen_in_crop(points: np.ndarray, crop_camera: np.ndarray) -> np.ndarray:
    """Crop pixels of points [N, K, 3] about the body's origin, as HMR2.0's training projects them."""
    local = points + crop_translation(crop_camera)[:, None]
    return 128 + 5000.0 * local[..., :2] / local[..., 2:]


def many(crop: Crop) -> Crop:
    return Crop(crop.centre[:, None], crop.size[:, None])


def test_full_translation_keeps_the_pixels() -> None:
    k = np.array([[1100.0, 0, 955.0], [0, 1100.0, 549.0], [0, 0, 1]])
    camera, crop = Camera("pinhole", 1920, 1080, k), crop_of_box(BOXES)
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (3, 20, 3)) * [1, 1, 0]
    expected = many(crop).to_image(seen_in_crop(points, CROP_CAMERAS))
    transl = full_translation(CROP_CAMERAS, crop, k)
    found, _, _ = camera.project(points + transl[:, None])
    assert np.abs(found - expected).max() < 0.1
    # the published formula, and the crop's own inverse
    bs = crop.size * CROP_CAMERAS[:, 0]
    assert np.allclose(transl[:, 0], 2 * (crop.centre[:, 0] - 955.0) / bs + CROP_CAMERAS[:, 1])
    assert np.allclose(transl[:, 2], 2 * 1100.0 / bs)
    assert np.allclose(many(crop).to_crop(expected), seen_in_crop(points, CROP_CAMERAS))
    assert np.isnan(full_translation([-0.1, 0, 0], crop_of_box(BOXES[0]), k)).any()


@pytest.mark.parametrize("model", ["pinhole", "brown_conrady", "fisheye"])
def test_placed_people_stand_where_the_camera_sees_them(model: str) -> None:
    k = fisheye_matrix(1920, 1080, 170) if model == "fisheye" else pinhole_matrix(1920, 1080, 90)
    dist = {"pinhole": [], "brown_conrady": [-0.15, 0.03, 0.001, -0.001, 0.0], "fisheye": [0.01, 0, 0, 0]}[model]
    camera = Camera(model, 1920, 1080, k, np.array(dist, dtype=float), look_at([3, -4, 2.5], [0, 0.5, 1]))
    crop, pelvis = crop_of_box(BOXES), np.array([-0.002, -0.22, 0.03])
    orient = Rotation.random(3, random_state=2).as_matrix()
    turned, transl = place(camera, crop, orient, CROP_CAMERAS, pelvis)
    assert np.allclose(turned @ np.swapaxes(turned, -1, -2), np.eye(3), atol=1e-9)
    # the pelvis on its pixel
    pixel, _, _ = camera.project(pelvis + transl)
    expected = many(crop).to_image(seen_in_crop(np.tile(pelvis, (3, 1, 1)), CROP_CAMERAS))[:, 0]
    assert np.abs(pixel - expected).max() < 0.1
    # a small body of the pelvis's surroundings, turned by the person's rotation: same place, same size, same turn
    cloud = np.random.default_rng(1).uniform(-0.05, 0.05, (3, 60, 3))
    seen = many(crop).to_image(seen_in_crop(pelvis + cloud @ np.swapaxes(orient, -1, -2), CROP_CAMERAS))
    found, _, _ = camera.project((pelvis + transl)[:, None] + cloud @ np.swapaxes(turned, -1, -2))
    spread = np.linalg.norm(seen - seen.mean(1, keepdims=True), axis=-1).mean()
    error = np.linalg.norm(found - seen, axis=-1).mean()
    assert error < 0.15 * spread
    # left unturned, it shows another side
    unturned = camera.world_from_camera[:3, :3] @ orient
    plain, _, _ = camera.project((pelvis + transl)[:, None] + cloud @ np.swapaxes(unturned, -1, -2))
    assert error < 0.5 * np.linalg.norm(plain - seen, axis=-1).mean()


def test_viewing_rotation_turns_the_axis_to_the_box() -> None:
    camera = Camera(
        "pinhole", 1920, 1080, pinhole_matrix(1920, 1080, 90), np.zeros(0), look_at([3, -4, 2.5], [0, 0, 1])
    )
    crop = crop_of_box(BOXES)
    centred = np.array([[0.9, 0, 0]] * 3)
    _, rays = camera.unproject(crop.centre)
    turn = camera.world_from_camera[:3, :3] @ viewing_rotation(camera, crop.centre)
    assert np.allclose(turn[..., 2], rays)
    turned, transl = place(camera, crop, np.eye(3), centred, np.zeros(3))
    towards = transl - camera.position
    assert np.allclose(towards / np.linalg.norm(towards, axis=-1, keepdims=True), rays)
    assert np.allclose(turned, turn)
    # on the axis nothing turns, and the depth is the published one
    middle = crop_of_box([859.5, 439.5, 1059.5, 639.5])
    assert np.allclose(viewing_rotation(camera, middle.centre), np.eye(3))
    pelvis = np.array([0, 0, 0.3])
    _, straight = place(camera, middle, np.eye(3), [0.8, 0, 0], pelvis)
    depth = full_translation([0.8, 0, 0], middle, camera.K)[2]
    assert np.linalg.norm(straight + pelvis - camera.position) == pytest.approx(depth + 0.3, rel=1e-4)


def test_pelvis_beyond_the_lens_model_follows_the_crop() -> None:
    k, dist = np.array([[900.0, 0, 960], [0, 900, 540], [0, 0, 1]]), np.array([-0.3, 0, 0, 0, 0])
    camera = Camera("brown_conrady", 1920, 1080, k, dist, look_at([3, -4, 2.5], [0, 0, 1]))
    crop = crop_of_box([1460, 340, 1660, 740])
    crop_camera = np.array([0.5, 0.6, 0.0])
    assert np.isnan(camera.unproject([1620, 540])[1]).all()  # where the crop has the pelvis
    _, transl = place(camera, crop, np.eye(3), crop_camera, np.zeros(3))
    towards = transl - camera.position
    across = np.cross(camera.unproject(crop.centre)[1], towards)
    assert np.linalg.norm(across) == pytest.approx(0.6)  # metres beside the crop's axis
    assert np.isnan(place(camera, crop, np.eye(3), -crop_camera, np.zeros(3))[1]).all()
