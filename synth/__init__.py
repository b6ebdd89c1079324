"""CareSynth's back end: bodies, rooms, motion and what generates them. Never imports Blender.

World frame everywhere: right-handed, z up, metres, seconds; the floor is the plane z = 0.
"""

__version__ = "0.1.0"
