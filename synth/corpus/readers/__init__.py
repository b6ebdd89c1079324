"""Readers of the data sets users have, each from its official layout: sources of the corpus, and 2D tracks.

`humanml3d`, `interhuman`, `amass` and `mocap` (ASF/AMC, BVH) are `synth.corpus.source.Source`s; `teton` reads and
checks care recordings in the format of docs/teton-format.md. Nothing is converted beforehand; no data set is held
in memory.
"""
