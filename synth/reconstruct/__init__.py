"""From the video of a fixed camera to a room and the people moving in it."""
