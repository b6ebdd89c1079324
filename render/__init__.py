"""Stages, renders and labels clips. Only ``render.blender`` imports Blender's ``bpy``."""
