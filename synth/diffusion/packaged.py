"""The trained models that are installed with the package; `models/README.md` beside them is their card."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
GENERATOR = MODELS / "default.safetensors"
EVALUATOR = MODELS / "evaluator.safetensors"
CLASSIFIER = MODELS / "classifier.safetensors"
