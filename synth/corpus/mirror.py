"""Mirror images of motions, words included."""

from __future__ import annotations

from dataclasses import replace

from synth.body import BodyModel
from synth.corpus.care.pairs import mirrored as mirrored_motion
from synth.corpus.readers.texts import mirror_text
from synth.interaction import Interaction


def mirror(motion: Interaction, body: BodyModel) -> Interaction:
    """The mirror image of a motion with its labels and captions."""
    image = mirrored_motion(motion, body)
    meta = image.meta
    return replace(
        image,
        meta=replace(
            meta,
            text=mirror_text(meta.text),
            captions=tuple(mirror_text(text) for text in meta.captions),
            source={**meta.source, "mirrored": not meta.source.get("mirrored", False)},
        ),
    )
