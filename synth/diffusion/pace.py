"""Falls as fast as those that they were learned from.

A denoiser gives the mean of what may be; the mean of falls that are not at the same moment is a slower fall. Time runs
faster while the trunk comes down, until it is as fast as in the scenario that the sampler started from.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from synth.interaction import Interaction
from synth.rotation import Array
from synth.skeleton import JOINT, forward_kinematics

MOST = 1.5  # factor by which time runs faster; beyond, people look sped up in spite of falling
LITTLE = 1.02  # factor below which nothing is done
DESCENT = 0.3  # share of the fastest moment's speed that is part of the way down
STILL = 0.1  # m/s: whoever comes down no faster than this has not fallen, whatever was asked for
SMOOTH = 0.06  # seconds, of speeds as they are measured (`synth.motion.actions`)
BLEND = 0.1  # seconds in which time gathers speed, and loses it
ROUNDS = 3  # of correcting the factor: a short way down is over before time has gathered all of its speed


def quickened(motion: Interaction, scenario: Interaction, rest: Array) -> Interaction:
    """The motion with its fastest way down as fast as the scenario's, if it is slower; its labels move with it.

    Args:
        scenario: the motion that the sampler started from, as many people. rest: rest joints [P, 24, 3], metres.
    """
    speeds = sinking(motion, rest)
    person = int(speeds.max(1).argmax())
    speed, peak = speeds[person], float(speeds.max())
    wanted = float(sinking(scenario, rest)[person].max())
    if peak < STILL or wanted < LITTLE * peak:
        return motion
    middle, down = int(speed.argmax()), speed > DESCENT * peak
    first, last = middle, middle
    while first > 0 and down[first - 1]:
        first -= 1
    while last < len(down) - 1 and down[last + 1]:
        last += 1
    hurry = np.zeros(len(down))
    hurry[first : last + 1] = 1.0
    hurry = gaussian_filter1d(hurry, BLEND * motion.fps)
    factor, made = min(wanted / peak, MOST), motion
    for _ in range(ROUNDS):
        made = _hurried(motion, 1 + (factor - 1) * hurry)
        factor = min(factor * wanted / float(sinking(made, rest)[person].max()), MOST)
    return made


def _hurried(motion: Interaction, rate: Array) -> Interaction:
    """The motion at `rate` [T] times its speed."""
    # when each old frame happens now; the new frames' old times are its inverse
    clock = np.concatenate([[0.0], np.cumsum(2 / (rate[1:] + rate[:-1]))]) / motion.fps
    return motion.warp(np.interp(np.arange(int(clock[-1] * motion.fps) + 1) / motion.fps, clock, motion.times))


def sinking(motion: Interaction, rest: Array) -> Array:
    """How fast everybody's chest comes down [P, T], m/s; negative upwards."""
    joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
    heights = gaussian_filter1d(joints[:, :, JOINT["spine3"], 2].astype(float), SMOOTH * motion.fps, axis=1)
    return np.asarray(-np.gradient(heights, 1 / motion.fps, axis=1))
