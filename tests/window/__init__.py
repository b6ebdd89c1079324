"""A real Blender in a real window for the tests: a Debian root, a screen without a monitor, a mouse."""
