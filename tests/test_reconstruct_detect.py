"""People, keypoints and masks from the real networks of transformers, small and with weights made by hand."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from synth.errors import BadFile, BadOption, Missing
from synth.reconstruct.depth import estimate_depth
from synth.reconstruct.detect import DETECTOR, batches, boxes_of, linked, load_detector, overlaps
from synth.reconstruct.models import BadOutput, cached
from synth.reconstruct.pose2d import load_pose, observed_of_images
from synth.reconstruct.regions import CLASSES, LABEL
from synth.reconstruct.segment import class_of, load_segmenter, segmented
from synth.reconstruct.weights import HMR2_FILE, WEIGHTS, checked, networks, present, table

HEIGHT, WIDTH = 120, 160
BOX = (30.0, 20.0, 60.0, 90.0)  # x, y, width, height
BLANK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No network, no cache but the test's own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HOME", str(tmp_path))


# Networks


def detector(folder: Path, box=BOX, score=0.8, names=("cat", "chair", "Person")) -> Path:
    """RT-DETR that sees a person in this box of a picture of 160 x 120 whatever is on it, three times over."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]
    )
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 8, 8], encoder_ffn_dim=16,
        encoder_attention_heads=2, decoder_in_channels=[16, 16, 16], d_model=16, decoder_ffn_dim=16, decoder_layers=2,
        decoder_attention_heads=2, num_queries=3, num_denoising=0, id2label=dict(enumerate(names)),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = RTDetrForObjectDetection(config)
    x, y, w, h = box
    share = torch.tensor([(x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT])
    with torch.no_grad():
        first, last = (layers.layers[-1] for layers in net.model.decoder.bbox_embed)
        for layer in (first, last):
            layer.weight.zero_()
        first.bias.fill_(40.0)  # to the end of the sigmoid, from where its inverse goes back 11.513
        last.bias.copy_(torch.logit(share) - np.log(1e5))
        for classes in net.model.decoder.class_embed:
            classes.weight.zero_()
            classes.bias.fill_(-20.0)
            classes.bias[0] = 0.4  # a cat, of score 0.6, is what it sees if it sees no person
            if len(names) > 2:
                classes.bias[2] = np.log(score / (1 - score))
    net.save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def pose(folder: Path, experts: int = 1, fixed: tuple[int, int] | None = None, labels: int = 17) -> Path:
    """ViTPose whose heat maps are the picture: of a colour for each keypoint (0 red, 1 green, 2 blue, 3 red, ...).

    The heat map's cell m is the mean of the crop's pixels 4 m - 2 to 4 m + 1. Keypoint 15 is seen at a fifth of its
    height, 16 at half of it. With ``fixed``, a patch (row, column) shines in all colours whatever the picture shows.
    """
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    cells, size = 48, 64
    backbone = VitPoseBackboneConfig(
        hidden_size=size, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=1, num_experts=experts,
        part_features=32, out_indices=[1], layer_norm_eps=1e6,
    )  # fmt: skip
    config = VitPoseConfig(backbone_config=backbone, use_simple_decoder=False, num_labels=labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = VitPoseForPoseEstimation(config)
    body, head = net.backbone, net.head
    layer = body.encoder.layer[0]
    with torch.no_grad():
        patches = body.embeddings.patch_embeddings.projection
        for part in (patches, layer.attention.output.dense, layer.mlp.fc2):  # what is left of a layer is its residual
            part.weight.zero_()
            part.bias.zero_()
        body.embeddings.position_embeddings.zero_()
        if experts > 1:  # the first does nothing, the others spoil everything
            for number, expert in enumerate(layer.mlp.experts):
                expert.weight.zero_()
                expert.bias.fill_(0.0 if number == 0 else 50.0)
        body.layernorm.weight.fill_(1e3)
        for up in (head.deconv1, head.deconv2, head.conv):
            up.weight.zero_()
        for colour in range(3):
            for row, column in np.ndindex(4, 4):
                channel = 16 * colour + 4 * row + column
                patches.weight[channel, colour, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1 / 16
                # Entries 1 and 2 of a kernel of four with stride two make the even and the odd pixel.
                half = 4 * colour + 2 * (row % 2) + column % 2
                head.deconv1.weight[channel, half, 1 + row // 2, 1 + column // 2] = 1.0
            for row, column in np.ndindex(2, 2):
                head.deconv2.weight[4 * colour + 2 * row + column, colour, 1 + row, 1 + column] = 1.0
        for point in range(labels):
            head.conv.weight[point, point % 3] = {15: 0.2, 16: 0.5}.get(point, 1.0)
        head.conv.bias.zero_()
        if fixed is not None:
            body.embeddings.position_embeddings[0, 1 + 12 * fixed[0] + fixed[1], :cells] = 4.0
    net.save_pretrained(folder)
    VitPoseImageProcessorPil(image_mean=[0.0] * 3, image_std=[1.0] * 3).save_pretrained(folder)
    return folder


ADE20K = [  # the first 76 of the 150, in their order
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet",
    "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water",
    "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk",
    "rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard",
    "chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path",
    "stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge", "bookcase",
    "blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove", "palm",
    "kitchen island", "computer", "swivel chair",
]  # fmt: skip
SWIN = {
    "model_type": "swin", "image_size": 64, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
    "window_size": 4, "out_features": ["stage1", "stage2", "stage3", "stage4"],
}  # fmt: skip


def segformer(folder: Path, names=tuple(ADE20K), bright="floor", dark="wall") -> Path:
    """SegFormer that takes bright for one class and dark for another."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation
    from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

    config = SegformerConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1], mlp_ratios=[1, 1, 1, 1],
        decoder_hidden_size=8, id2label=dict(enumerate(names)),
    )  # fmt: skip
    net = SegformerForSemanticSegmentation(config)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if "norm" not in name:
                value.zero_()
        stage = next(part for name, part in net.named_modules() if name.endswith("patch_embeddings"))
        stage.proj.weight[0], stage.proj.weight[1] = 1 / 147, -1 / 147  # brightness above and below the middle
        stage.proj.bias[0], stage.proj.bias[1] = -0.5, 0.5
        net.decode_head.linear_projections[0].proj.weight.copy_(torch.eye(8))
        net.decode_head.linear_fuse.weight[:, -8:, 0, 0] = torch.eye(8)  # the last stage comes first
        for channel, name in enumerate((bright, dark)):
            net.decode_head.classifier.weight[names.index(name), channel] = 1.0
    net.save_pretrained(folder)
    SegformerImageProcessorPil(
        size={"height": 128, "width": 128}, image_mean=[0.0] * 3, image_std=[1.0] * 3
    ).save_pretrained(folder)
    return folder


def mask2former(folder: Path, sees: str) -> Path:
    """Mask2Former that sees one class everywhere."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation
    from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil

    config = Mask2FormerConfig(
        backbone_config=SWIN, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32,
        encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=32, num_queries=3,
        id2label=dict(enumerate(ADE20K)),
    )  # fmt: skip
    net = Mask2FormerForUniversalSegmentation(config)
    with torch.no_grad():
        net.class_predictor.bias[ADE20K.index(sees)] = 30.0
    net.save_pretrained(folder)
    Mask2FormerImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128}).save_pretrained(folder)
    return folder


def oneformer(folder: Path, sees: str) -> Path:
    """OneFormer that sees one class everywhere; its folder is laid out as the published one."""
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    sizes = {
        "num_queries": 3, "hidden_dim": 32, "conv_dim": 32, "mask_dim": 32, "num_attention_heads": 2,
        "dim_feedforward": 32, "encoder_feedforward_dim": 32, "encoder_layers": 1, "decoder_layers": 2,
        "query_dec_layers": 1, "text_encoder_width": 32, "text_encoder_num_layers": 1, "text_encoder_vocab_size": 64,
        "text_encoder_proj_layers": 1, "text_encoder_n_ctx": 2,
    }  # fmt: skip
    net = OneFormerForUniversalSegmentation(
        OneFormerConfig(backbone_config=SWIN, id2label=dict(enumerate(ADE20K)), **sizes)
    )
    with torch.no_grad():
        net.model.transformer_module.decoder.class_embed.bias[ADE20K.index(sees)] = 30.0
    net.save_pretrained(folder)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    written = {
        "vocab.json": {word: number for number, word in enumerate(words)},
        "tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"},
        "preprocessor_config.json": {
            "image_processor_type": "OneFormerImageProcessor", "processor_class": "OneFormerProcessor",
            "class_info_file": "ade20k_panoptic.json", "repo_path": "shi-labs/oneformer_demo", "num_text": 2,
            "size": {"shortest_edge": 64, "longest_edge": 128},
        },
    }  # fmt: skip
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


def detected(images, model=DETECTOR) -> list[np.ndarray]:
    """People's boxes and scores on pictures."""
    finder = load_detector(model)
    return [some for batch in batches(images) for some in finder.people(batch)]


def looked(images, boxes, model) -> list[tuple[np.ndarray, np.ndarray]]:
    """Keypoints and confidences in the boxes of pictures."""
    return load_pose(model).points(images, [np.asarray(some, float).reshape(-1, 4) for some in boxes])


def tracked(detections, fps: float) -> np.ndarray:
    """Boxes of people over time."""
    found = [np.asarray(some, float).reshape(-1, 5) for some in detections]
    return boxes_of(linked(found, fps), found)


def spot(x: float, y: float, colour: tuple[float, float, float] = (255, 255, 255), sigma: float = 1.5) -> np.ndarray:
    """A round spot on black."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    shine = np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))
    return (shine[..., None] * np.array(colour)).round().astype(np.uint8)


# Boxes


def test_a_box_comes_out_where_the_network_sees_it_once_and_only_people(tmp_path):
    folder = detector(tmp_path / "net")
    found = detected((BLANK for _ in range(6)), folder)
    assert [some.shape for some in found] == [(1, 5)] * 6  # on which three queries agree
    np.testing.assert_allclose(np.stack(found)[:, 0], [[*BOX, 0.8]] * 6, atol=1e-3)
    assert detected([BLANK], detector(tmp_path / "cat", score=0.5))[0].shape == (0, 5)
    (found,) = detected([np.zeros((60, 200, 3), np.uint8)], folder)  # boxes go with the picture's size
    np.testing.assert_allclose(found[0, :4], [30 * 200 / 160, 10, 60 * 200 / 160, 45], atol=1e-3)


def test_boxes_end_at_the_picture(tmp_path):
    (found,) = detected([BLANK], detector(tmp_path / "net", box=(125, 30, 60, 110)))
    np.testing.assert_allclose(found[0, :4], [125, 30, 35, 90], atol=0.01)


def walk(start, speed, frames, size=(40, 120)):
    """Boxes [T, 4] of somebody who walks."""
    middle = np.asarray(start, float) + np.arange(frames)[:, None] * np.asarray(speed, float)
    return np.concatenate([middle - np.array(size) / 2, np.tile(np.asarray(size, float), (frames, 1))], 1)


def scored(box, score):
    return [*box, score]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_people_who_cross_keep_their_names(seed, fps):
    generator = np.random.default_rng(seed)
    count = round(4 * fps)
    truth = np.stack([walk((100, 240), (200 / fps, 0), count), walk((780, 250), (-220 / fps, 0), count)])
    truth = np.concatenate([truth, walk((440, 400), (0, 0), count, (60, 150))[None]])  # who stands nearby
    covered, detections = 0, []
    for frame in range(count):
        rows = [scored(truth[2, frame] + generator.normal(0, 1.5, 4), 0.9)]
        overlap = overlaps(truth[:1, frame], truth[1:2, frame])[0, 0]
        for person in range(2):
            if overlap > 0.35 and person == 1:  # the one behind is not seen
                covered += 1
                continue
            rows.append(scored(truth[person, frame] + generator.normal(0, 1.5, 4), generator.uniform(0.35, 0.95)))
        if frame < 3:
            rows = [[*row[:4], 0.9] for row in rows]
        if generator.random() < 0.2:  # flicker anywhere
            rows.append(scored([*generator.uniform(0, 800, 2), 50, 100], generator.uniform(0.3, 0.9)))
        generator.shuffle(rows)
        detections.append(np.array(rows))
    assert covered >= 1
    found = tracked(detections, fps)
    assert found.shape == (3, count, 4)
    order = [int(np.nanmean(np.abs(found - one).sum(-1), 1).argmin()) for one in truth]
    assert sorted(order) == [0, 1, 2]
    for one, row in zip(truth, order, strict=True):
        there = np.isfinite(found[row]).all(-1)
        assert there.mean() > 0.85
        assert np.abs(found[row] - one)[there].max() < 12  # with the wrong name it would be some 100 pixels
    np.testing.assert_array_equal(tracked([some[::-1] for some in detections], fps), found)


def test_gaps_are_bridged_filled_or_end_somebody():
    box = walk((100, 100), (3, 1), 60)
    rows = [[scored(one, 0.9)] for one in box]

    def without(*frames):
        return tracked([np.zeros((0, 5)) if at in frames else rows[at] for at in range(60)], 10.0)

    np.testing.assert_allclose(without(10, 11, 12)[0], box)  # linear, as the walk is
    long = without(*range(20, 34))
    assert len(long) == 1
    assert np.isnan(long[0, 20:34]).all()
    np.testing.assert_allclose(long[0, 34:], box[34:])
    assert len(without(*range(20, 40))) == 2
    assert len(without(*range(4), *range(8, 60))) == 0  # four frames are no half second
    # who stops behind a curtain comes back where they were last seen, not where they were heading
    stop = np.concatenate([walk((100, 100), (12, 0), 20), np.tile(walk((340, 100), (0, 0), 1), (28, 1))])
    seen = [[scored(one, 0.9)] if at < 20 or at > 32 else [] for at, one in enumerate(stop)]
    assert len(tracked(seen, 10.0)) == 1


def test_a_picture_every_few_seconds_has_people_too():
    rows = [[scored(one, 0.9)] for one in walk((100, 100), (3, 1), 6)]
    assert np.isfinite(tracked(rows, 0.5)).all()
    assert len(tracked(rows, 0.5)) == 1


def test_weak_boxes_go_on_but_do_not_begin():
    box = walk((100, 100), (3, 1), 40)
    weak = [[scored(one, 0.35)] for one in box]
    assert tracked(weak, 10.0).shape == (0, 40, 4)
    weak[8] = [scored(box[8], 0.9)]
    found = tracked(weak, 10.0)
    assert np.isnan(found[0, :8]).all()
    np.testing.assert_allclose(found[0, 8:], box[8:])
    assert tracked([], 10.0).shape == (0, 0, 4)
    for fps in (0.0, np.nan, np.inf):
        with pytest.raises(BadOption, match="fps"):
            tracked([[]], fps)


# Keypoints


@pytest.mark.parametrize("experts", [1, 6])
def test_a_spot_of_a_keypoints_colour_is_found_at_its_pixel(tmp_path, experts):
    folder = pose(tmp_path / "net", experts)
    shown = np.array([[[52.3, 41.8], [70.0, 77.4], [38.6, 96.1]], [[40.0, 60.5], [62.7, 30.2], [81.0, 80.0]]])
    images = [
        sum(spot(*place, colour) for place, colour in zip(places, np.eye(3) * 255, strict=True)).astype(np.uint8)
        for places in shown
    ]
    boxes = [np.array([BOX, (20, 20, 80, 95)]), np.zeros((0, 4)), np.array([[25.0, 15, 75, 90]])]
    everybody = looked([images[0], images[0], images[1]], boxes, folder)
    assert [points.shape for points, _ in everybody] == [(2, 17, 2), (0, 17, 2), (1, 17, 2)]
    for frame, row in ((0, 0), (0, 1), (2, 0)):
        box, found, sure = boxes[frame][row], everybody[frame][0][row], everybody[frame][1][row]
        places = shown[frame // 2]
        # The network sees the box in 3 : 4 and 1.25 times as large, on 192 x 256 pixels; what it calls cell m lies at
        # 4 m - 0.5, where the decoder (and a trained network) has 191 / 47 m: little more than a pixel of the picture.
        size = 1.25 * np.array([max(box[2], box[3] * 0.75), max(box[3], box[2] / 0.75)])
        corner = box[:2] + box[2:] / 2 - size / 2
        crop = (places - corner) / size * [191, 255]
        expected = corner + (crop + 0.5) / 4 / [47, 63] * size
        assert np.abs(expected - places).max() < 1.4
        np.testing.assert_allclose(found, expected[np.arange(17) % 3], atol=0.2)
        assert (sure[:15] > 0.6).all()
        assert (sure <= 1).all()
        assert sure[15] == 0
        assert 0.3 <= sure[16] < 0.5


def test_a_point_outside_the_picture_is_a_guess(tmp_path):
    folder = pose(tmp_path / "net", fixed=(8, 1))  # at the left of what the network sees, whatever is there
    ((points, seen),) = looked([BLANK], [[[-20.0, 20.0, 50.0, 90.0], [60.0, 20.0, 50.0, 90.0]]], folder)
    assert (points[0, :, 0] < -0.5).all()
    assert (points[1, :, 0] > 0).all()
    assert set(np.unique(seen[0, :15])) == {0.4}
    assert (seen[1, :15] > 0.9).all()


def test_a_peak_that_its_refinement_throws_out_of_the_crop_is_not_seen(tmp_path):
    noise = np.random.default_rng(43).integers(0, 2, (15, 20, 3)).astype(np.uint8)
    image = np.kron(noise * 255, np.ones((8, 8, 1), np.uint8))
    ((points, seen),) = looked([image], [[[20, 20, 80, 95]]], pose(tmp_path / "net"))
    out = np.abs(points[0, :15, 0] - 60) > 50  # the network saw 100 pixels around the middle of the box
    assert out.tolist() == [number % 3 == 0 for number in range(15)]
    assert ((seen[0, :15] == 0) == out).all()


def test_from_pictures_to_observed_people(tmp_path):
    finder, look = detector(tmp_path / "finder"), pose(tmp_path / "look")
    done = []
    frames = (spot(50 + frame, 60) for frame in range(10))
    observed = observed_of_images(frames, 10.0, finder, look, progress=done.append)
    assert (observed.people, observed.frames) == (1, 10)
    np.testing.assert_allclose(observed.boxes, np.tile(BOX, (1, 10, 1)), atol=1e-3)
    np.testing.assert_allclose(np.diff(observed.keypoints[0, :, 0, 0]), 1.0, atol=0.3)  # the spot moves on
    np.testing.assert_allclose(observed.keypoints[0, :, :15, 1], 60, atol=1.4)
    assert (observed.seen[0, :, :15] > 0.5).all()
    assert done == [4, 8, 10]
    nobody = observed_of_images([BLANK] * 3, 10.0, finder, look)  # for too short
    assert nobody.people == 0
    assert nobody.frames == 3


# Masks


def test_ade20ks_names_are_ours():
    known = {
        0: "wall", 3: "floor", 5: "ceiling", 7: "bed", 10: "wardrobe", 12: "person", 14: "door", 15: "table",
        19: "chair", 23: "sofa", 28: "floor", 30: "armchair", 31: "chair", 35: "wardrobe", 75: "chair",
    }  # fmt: skip
    assert {number: class_of(ADE20K[number]) for number in known} == known
    for name, ours in (
        ("toilet, can, commode, crapper, pot, potty, stool, throne", "toilet"), ("window ", "wall"),
        ("sofa, couch, lounge", "sofa"), ("rug, carpet, carpeting", "floor"), ("screen door, screen", "door"),
        ("wardrobe, closet, press", "wardrobe"), ("painting, picture", "wall"), ("Floor, flooring", "floor"),
        ("wall-brick", "wall"), ("seat", "chair"), ("ottoman, pouf, pouffe", "other"), ("plant", "other"),
    ):  # fmt: skip
        assert class_of(name) == ours, name
    assert {class_of(name) for name in ADE20K} <= set(CLASSES)


def test_pixels_get_the_class_that_the_network_sees_there(tmp_path):
    image = BLANK.copy()
    image[:, :50] = 255
    image[90:, :] = 255
    done = []
    found = segmented([image, 255 - image], [3, 40], segformer(tmp_path / "net"), progress=done.append)
    assert found.labels.shape == (2, HEIGHT, WIDTH)
    assert found.frames.tolist() == [3, 40]
    assert done == [1, 2]
    for labels, bright in ((found.labels[0], image[..., 0] > 0), (found.labels[1], image[..., 0] == 0)):
        expected = np.where(bright, LABEL["floor"], LABEL["wall"])
        near = np.ones((HEIGHT, WIDTH), bool)  # within a cell of the network (5 x 4 pixels) of a border
        near[5:-5, 5:-5] = False
        near[:95, 44:56] = near[85:95, 44:] = True
        assert (labels == expected)[~near].all()


@pytest.mark.parametrize("make", [oneformer, mask2former])
@pytest.mark.parametrize(("sees", "ours"), [("rug", "floor"), ("desk", "table"), ("plant", "other")])
def test_universal_networks_run_end_to_end(tmp_path, make, sees, ours):
    found = segmented([np.full((HEIGHT, WIDTH, 3), 90, np.uint8)], [0], make(tmp_path / "net", sees))
    assert found.labels.shape == (1, HEIGHT, WIDTH)
    assert set(np.unique(found.labels)) == {LABEL[ours]}


def test_oneformer_is_told_its_task_as_its_own_processor_tells_it(tmp_path):
    from transformers import AutoTokenizer, OneFormerProcessor

    segmenter = load_segmenter(oneformer(tmp_path / "net", "rug"))
    length = segmenter.network.config.task_seq_len
    own = OneFormerProcessor(
        segmenter.processor, AutoTokenizer.from_pretrained(tmp_path / "net"), task_seq_length=length
    )
    picture = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    told = own(images=[picture], task_inputs=["semantic"], return_tensors="pt")
    assert torch.equal(told["task_inputs"], segmenter.task["task_inputs"])
    assert told["pixel_mask"].all()  # which the segmenter leaves out
    seen = segmenter.network(**told)
    labels = segmenter.processor.post_process_semantic_segmentation(seen, target_sizes=[(HEIGHT, WIDTH)])[0]
    np.testing.assert_array_equal(segmenter.labels(picture), segmenter.table[labels.numpy()])


# What is wrong or missing


def test_wrong_pictures_are_refused(tmp_path):
    finder, look, masks = detector(tmp_path / "a"), pose(tmp_path / "b"), segformer(tmp_path / "c")
    for images in ([BLANK / 255], [BLANK[..., 0]], [BLANK, BLANK[:50]], [BLANK[..., :2]]):
        for call in (
            lambda some: observed_of_images(some, 10.0, finder, look),
            lambda some: segmented(some, np.arange(len(some)), masks),
        ):
            with pytest.raises(BadOption, match="uint8"):
                call(images)
    for frames in ([0], [1, 1], [2, 1], [0.0, 1.0]):
        with pytest.raises(BadOption, match="frames"):
            segmented([BLANK] * 2, frames, masks)
    for call in (lambda: segmented([], [], masks), lambda: observed_of_images([], 10.0, finder, look)):
        with pytest.raises(BadOption, match="none"):
            call()


def test_wrong_models_are_refused(tmp_path):
    finder, look, masks = detector(tmp_path / "a"), pose(tmp_path / "b"), segformer(tmp_path / "c")
    for call in (
        lambda: load_detector(look),
        lambda: load_pose(masks),
        lambda: segmented([BLANK], [0], finder),
        lambda: estimate_depth([BLANK], finder),
    ):
        with pytest.raises(BadFile, match="model_type"):
            call()
    with pytest.raises(BadFile, match=r"id2label.*cat, dog"):
        load_detector(detector(tmp_path / "d", names=("cat", "dog")))
    with pytest.raises(BadFile, match=r"21 keypoints.*COCO's 17"):
        load_pose(pose(tmp_path / "e", labels=21))
    with pytest.raises(BadFile, match="none of these is a floor"):
        segmented([BLANK], [0], segformer(tmp_path / "f", ("road", "wall", "person"), "road", "wall"))
    one = oneformer(tmp_path / "g", "rug")
    (one / "vocab.json").unlink()
    with pytest.raises(BadFile, match="tokenizer"):
        segmented([BLANK], [0], one)
    (tmp_path / "empty").mkdir()
    for name, error in (
        (tmp_path / "empty", BadFile), (tmp_path / "nowhere", Missing), ("nobody/nothing", Missing), ("odd", Missing),
    ):  # fmt: skip
        with pytest.raises(error, match=DETECTOR):
            load_detector(name)
    weights = finder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(BadFile, match=r"a.*file"):
        load_detector(finder)


def test_broken_weights_do_not_become_results(tmp_path):
    from safetensors.torch import load_file, save_file

    for make, name, call in (
        (detector, "model.decoder.class_embed.1.bias", lambda folder: detected([BLANK], folder)),
        (pose, "head.conv.bias", lambda folder: looked([BLANK], [[BOX]], folder)),
        (segformer, "decode_head.classifier.bias", lambda folder: segmented([BLANK], [0], folder)),
    ):
        folder = make(tmp_path / make.__name__)
        tensors = load_file(folder / "model.safetensors")
        right = tensors[name].clone()
        tensors[name] = right * torch.nan
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(BadOutput, match="not finite"):
            call(folder)
        tensors[name] = torch.zeros(len(right) + 1)  # of another shape
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(BadFile, match="settings and weights"):
            call(folder)
        del tensors[name]
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(BadFile, match=f"no {name}"):
            call(folder)


class Harm:
    """What a pickle could do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    folder = detector(tmp_path / "net")
    (folder / "model.safetensors").unlink()
    torch.save({"harm": Harm(tmp_path / "harmed")}, folder / "pytorch_model.bin")
    with pytest.raises(BadFile, match=r"pytorch_model\.bin.*safetensors"):
        load_detector(folder)
    # Nor is code that comes with a model.
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "new", "auto_map": {"AutoConfig": "harm.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "harm.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'harmed')!r})\n")
    with pytest.raises(BadFile):
        load_detector(folder)
    assert not (tmp_path / "harmed").exists()


def test_an_index_leads_to_no_pickle(tmp_path):
    from safetensors.torch import load_file

    folder = detector(tmp_path / "net")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, "part.safetensors")}))
    np.testing.assert_allclose(detected([BLANK], folder)[0][0, :4], BOX, atol=1e-3)
    torch.save(tensors, folder / "part.bin")
    pickled = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "part.bin")}
    for wrong, words in ((pickled, r"part\.bin.*\.safetensors"), ([], "weight_map")):
        index.write_text(json.dumps(wrong))
        with pytest.raises(BadFile, match=words):
            load_detector(folder)


def in_cache(made: Path, cache: Path, name: str, commit: str, ref: str = "main") -> Path:
    """A model's folder as `hf download` lays it out."""
    root = cache / f"models--{name.replace('/', '--')}"
    (root / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
    (root / "refs" / ref).write_text(commit)
    return Path(shutil.copytree(made, root / "snapshots" / commit))


def test_a_model_is_found_by_its_name_in_the_cache(tmp_path):
    made = detector(tmp_path / "net")
    assert cached(DETECTOR) is None
    safe = in_cache(made, tmp_path / "hub", DETECTOR, "b" * 40, "refs/pr/1")
    assert cached(DETECTOR) == safe
    pickled = in_cache(made, tmp_path / "hub", DETECTOR, "a" * 40)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert cached(DETECTOR) == safe  # not the pickle that main has
    newest = in_cache(made, tmp_path / "hub", DETECTOR, "c" * 40)
    assert cached(DETECTOR) == newest
    (found,) = detected([BLANK])
    np.testing.assert_allclose(found[0, :4], BOX, atol=1e-3)


def test_what_is_here_and_what_is_missing_is_told(tmp_path):
    assert len({weights.name for weights in WEIGHTS}) == len(WEIGHTS)
    assert {weights.part for weights in WEIGHTS} == {*networks().__dataclass_fields__, "body"}
    assert not any(path for _, path in checked())
    lines = table().splitlines()
    for weights in WEIGHTS:
        at = next(number for number, line in enumerate(lines) if weights.name in line)
        assert lines[at].startswith("missing, optional" if weights.optional else "missing ")
        assert weights.licence in lines[at + 1]
        assert weights.command in lines[at + 2]
    folder = tmp_path / "weights"
    short = detector(folder / DETECTOR.split("/")[1])
    (folder / HMR2_FILE).write_bytes(b"")
    masks = [weights for weights in WEIGHTS if weights.part == "segmenter"]
    made = segformer(tmp_path / "made")
    in_cache(made, tmp_path / "hub", masks[0].name, "d" * 40, "refs/pr/1")
    own = Path(shutil.copytree(made, folder / masks[1].name))
    found = networks(folder)
    assert (found.detector, found.hmr2, found.pose) == (short, folder / HMR2_FILE, None)
    assert found.segmenter == own  # the user's own before the cache's
    assert networks().segmenter == present(masks[0])
    told = table(folder)
    assert told.count("here ") == 4
    assert f"here               detector   {DETECTOR}" in told
    (short / "model.safetensors").rename(short / "pytorch_model.bin")
    assert networks(folder).detector is None
    with pytest.raises(Missing, match="nothing here"):
        checked(tmp_path / "nothing here")
