"""Rays against everything on the stage, through Blender's own trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from render.blender.session import load_bpy


def cast_rays(
    scene: Any, origin: np.ndarray, directions: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first thing that each ray meets.

    Args:
        scene: a scene whose meshes are up to date.
        origin: [3] metres, world.
        directions: [N, 3], unit.
        reach: [N] metres, how far to look.

    Returns:
        distance [N] in metres (infinite where nothing is met) and the ``pass_index`` [N] of the object met (0: none,
        or a thing that is no person).
    """
    layer = scene.view_layers[0]
    layer.update()
    graph = load_bpy().context.evaluated_depsgraph_get() if layer == load_bpy().context.view_layer else layer.depsgraph
    distance = np.full(len(directions), np.inf)
    index = np.zeros(len(directions), dtype=np.int64)
    start = tuple(origin)
    for number, (direction, far) in enumerate(zip(directions.tolist(), reach.tolist(), strict=True)):
        hit, place, _, _, item, _ = scene.ray_cast(graph, start, direction, distance=far)
        if hit:
            distance[number] = float(np.linalg.norm(np.asarray(place) - origin))
            index[number] = item.pass_index
    return distance, index
