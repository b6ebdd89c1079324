"""The generator: diffusion of the motion of one to three people, given text, a room and where they start."""
