"""CareSynth's back end: bodies, rooms, motion and what generates them. Never imports Blender.

World frame everywhere: right-handed, z up, metres, seconds; the floor is the plane z = 0.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`synth.generate`, imported when it is asked for: torch takes seconds."""
    if name == "generate":
        from importlib import import_module

        return import_module("synth.diffusion.generate").generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
