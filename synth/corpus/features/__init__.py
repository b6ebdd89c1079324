"""Feature vectors of other projects: HumanML3D's 263, InterGen's 262 and the thesis's 286 numbers a frame.

`layout` names their parts, `humanml3d` and `intergen` convert joints and poses, `posture` finds SMPL's pose in joint
positions, `convert` goes from an Interaction to features and back.
"""
