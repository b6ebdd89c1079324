"""The single-person motions of the library: which stretch of which recording, and what a person would call it.

Times are seconds of the recording as it was captured. `reverse` runs a stretch backwards where that is honest: lying
down is slow and controlled, so its reverse is a believable getting up (each such entry says so in its source).
`stretch` > 1 slows a motion down, as old people move; 1.5 is the most that still looks like a person. Nobody in the
recordings goes down on a knee: `kneels` makes a kneel of a captured crouch, and the entry's source says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Single:
    """One entry: `captions` (the first is its text), the taxonomy's `interaction_class` or None where it has none."""

    id: str
    file: str
    start: float
    end: float | None
    interaction_class: str | None
    captions: tuple[str, ...]
    reverse: bool = False
    mirror: bool = False
    stretch: float = 1.0
    sits: bool = False
    kneels: str | None = None  # the knee that the optimiser brings to the floor (`synth.corpus.kneel`)


_BVH = "cmu/bvh-franciscovalentecastro"
_LIE = "hdm05/HDM_%s_lieDownFloor_%s_120.amc"
_DEPOSIT = "hdm05/HDM_%s_depositFloorR_%s_120.amc"
_GRAB = "hdm05/HDM_%s_grabHighR_%s_120.amc"
_SQUAT = "hdm05/HDM_%s_squat1Reps_%s_120.amc"
_IDLE = "reactidle/%s_genuine.bvh"

_WALK = ("a person walks", "a person walks across the room", "someone walks forward")
_SLOW = (
    "an elderly person walks slowly",
    "a patient walks slowly and carefully",
    "an old person shuffles across the room",
)
_LEFT = ("a person walks and turns left", "someone walks and makes a left turn")
_RIGHT = ("a person walks and turns right", "someone walks and makes a right turn")
_WANDER = ("a person walks around the room", "a patient wanders around", "someone walks about without aim")
_STOP = ("a person walks a few steps and stops", "someone walks slowly and then stands still")
_SIT = ("a person sits down on a chair", "a patient sits down", "someone lowers themselves into a chair")
_SIT_SLOW = ("an elderly person sits down slowly", "a patient carefully sits down on a chair")
_RISE = ("a person stands up from a chair", "a patient gets up from a chair", "someone rises from a seat")
_RISE_SLOW = ("an elderly person slowly gets up from a chair", "a patient stands up with effort")
_SEATED = ("a person sits on a chair", "a patient sits quietly", "someone is sitting and waiting")
_LIE_DOWN = ("a person lies down on the floor", "someone lies down on their back", "a patient lies down on the ground")
_GET_UP = (
    "a person gets up from the floor",
    "a patient gets up from the floor alone",
    "someone lying on the floor stands up",
)
_PICK_UP = (
    "a person picks something up from the floor",
    "someone bends down to pick up an object",
    "a patient bends to the floor and picks something up",
)
_PUT_DOWN = (
    "a person puts something down on the floor",
    "someone bends down and places an object on the floor",
)
_KNEEL = (
    "a person kneels down",
    "someone goes down on one knee",
    "a caregiver kneels down on the floor",
    "a carer kneels",
)
_CRAWL = ("a person crawls on the floor", "a patient crawls along the floor", "someone crawls on hands and knees")
_SQUAT_DOWN = ("a person squats down and stands up again", "someone does a squat", "a person crouches and rises")
_REACH = (
    "a person reaches for something on a high shelf",
    "someone stretches an arm to take an object from a shelf",
)
_DRINK = ("a person drinks from a bottle", "someone drinks standing up", "a patient takes a drink")
_WINDOW = ("a person cleans the window", "a cleaner wipes a window", "someone washes the wall with a cloth")
_MOP = ("a person mops the floor", "a cleaner wipes the floor with a mop", "staff cleans the floor")
_WAVE = ("a person waves", "someone waves with the right hand", "a person greets by waving")
_TALK = ("a person talks and gestures with the hands", "someone explains something with gestures")
_STAND = ("a person stands still", "someone stands and waits", "a patient stands idle")
_STRETCH = ("a person stretches", "someone stretches their arms and body")
_WASH = ("a person washes their body", "someone washes themselves", "a patient showers standing")
_HANDS = ("a person walks up and shakes hands", "someone greets another person with a handshake")
_BACK = ("a person walks backwards", "someone takes steps back")

SINGLES: tuple[Single, ...] = (
    Single("walk_01", "cmu/amc/16_15.amc", 0.8, 3.7, "walk_alone", _WALK),
    Single("walk_02", "cmu/amc/16_47.amc", 0.3, 3.2, "walk_alone", _WALK),
    Single("walk_03", "cmu/amc/49_01.amc", 0.0, 5.2, "walk_alone", _WALK),
    Single("walk_04", f"{_BVH}/12_02.bvh", 0.0, 5.4, "walk_alone", _WALK),
    Single("walk_05", f"{_BVH}/08_01.bvh", 0.0, 2.2, "walk_alone", _WALK),
    Single("walk_06", f"{_BVH}/35_28.bvh", 0.0, 3.4, "walk_alone", _WALK),
    Single("walk_brisk_01", "cmu/amc/16_21.amc", 0.0, 2.5, "walk_alone",
           ("a person walks briskly", "a nurse hurries through the room", "someone walks fast")),
    Single("walk_brisk_02", f"{_BVH}/07_12.bvh", 0.0, 2.1, "walk_alone",
           ("a person walks briskly", "a carer hurries along", "someone walks quickly")),
    Single("walk_slow_01", f"{_BVH}/07_04.bvh", 0.0, 3.7, "walk_alone", _SLOW, stretch=1.3),
    Single("walk_slow_02", f"{_BVH}/07_05.bvh", 0.0, 4.2, "walk_alone", _SLOW, stretch=1.25),
    Single("walk_slow_03", f"{_BVH}/08_11.bvh", 0.0, 3.0, "walk_alone", _SLOW, stretch=1.4),
    Single("walk_left_01", "cmu/amc/16_11.amc", 0.0, 4.3, "walk_alone", _LEFT),
    Single("walk_left_02", "cmu/amc/16_17.amc", 0.0, 4.2, "walk_alone", _LEFT),
    Single("walk_right_01", "cmu/amc/16_13.amc", 0.0, 3.6, "walk_alone", _RIGHT),
    Single("walk_right_02", "cmu/amc/16_19.amc", 0.0, 3.4, "walk_alone", _RIGHT),
    Single("walk_stop_01", "cmu/amc/16_33.amc", 0.0, 2.4, "walk_alone", _STOP),
    Single("walk_stop_02", "cmu/amc/16_34.amc", 0.0, 2.8, "walk_alone", _STOP, stretch=1.3),
    Single("walk_wander_01", "deepmimic/humanoid3d_long_walk1.txt", 0.5, 9.5, "walk_alone", _WANDER),
    Single("walk_wander_02", "deepmimic/humanoid3d_long_walk1.txt", 12.0, 20.0, "walk_alone", _WANDER),
    Single("walk_wander_03", f"{_BVH}/26_01.bvh", 0.0, 6.8, "walk_alone",
           ("a person walks, turns around and walks back", "someone paces up and down the room")),
    Single("walk_backwards_01", "cmu/amc/09_12.amc", 6.0, 9.0, "walk_alone", _BACK),
    Single("sit_down_01", "cmu/amc/14_31.amc", 0.3, 4.6, "sit_down_alone", _SIT, sits=True),
    Single("sit_down_02", "cmu/amc/14_31.amc", 9.2, 13.2, "sit_down_alone", _SIT, sits=True),
    Single("sit_down_03", "cmu/amc/14_32.amc", 0.3, 4.6, "sit_down_alone", _SIT_SLOW, sits=True, stretch=1.3),
    Single("sit_down_04", "cmu/amc/14_30.amc", 0.3, 4.3, "sit_down_alone", _SIT, sits=True),
    Single("sit_down_05", "cmu/amc/14_31.amc", 0.3, 4.6, "sit_down_alone", _SIT_SLOW, sits=True, mirror=True,
           stretch=1.4),
    Single("stand_up_01", "cmu/amc/14_31.amc", 5.2, 9.0, "stand_up_alone", _RISE, sits=True),
    Single("stand_up_02", "cmu/amc/14_32.amc", 4.0, 8.6, "stand_up_alone", _RISE, sits=True),
    Single("stand_up_03", "cmu/amc/14_31.amc", 13.4, 16.6, "stand_up_alone", _RISE_SLOW, sits=True, stretch=1.4),
    Single("stand_up_04", "cmu/amc/14_32.amc", 14.8, 18.2, "stand_up_alone", _RISE, sits=True, mirror=True),
    Single("sit_idle_01", "cmu/amc/14_31.amc", 2.8, 6.4, None, _SEATED, sits=True),
    Single("sit_idle_02", "cmu/amc/14_32.amc", 11.8, 16.4, None, _SEATED, sits=True),
    Single("sit_idle_03", "cmu/amc/14_30.amc", 15.0, 20.2, None,
           ("a person sits with one leg crossed and a hand on the chin", "someone sits thinking"), sits=True),
    Single("lie_down_01", _LIE % ("bd", "001"), 0.2, 5.8, "lie_down_alone", _LIE_DOWN),
    Single("lie_down_02", _LIE % ("bd", "003"), 0.2, 5.5, "lie_down_alone", _LIE_DOWN),
    Single("lie_down_03", _LIE % ("bk", "005"), 0.2, 6.7, "lie_down_alone", _LIE_DOWN),
    Single("lie_down_04", _LIE % ("bk", "007"), 0.2, 7.4, "lie_down_alone", _LIE_DOWN, mirror=True),
    Single("lie_down_05", _LIE % ("tr", "019"), 0.2, 5.1, "lie_down_alone", _LIE_DOWN, stretch=1.2),
    Single("get_up_01", _LIE % ("bd", "001"), 0.2, 5.5, "get_up_from_floor_alone", _GET_UP, reverse=True),
    Single("get_up_02", _LIE % ("bd", "004"), 0.2, 5.2, "get_up_from_floor_alone", _GET_UP, reverse=True),
    Single("get_up_03", _LIE % ("bk", "009"), 0.2, 7.0, "get_up_from_floor_alone", _GET_UP, reverse=True),
    Single("get_up_04", _LIE % ("dg", "011"), 0.2, 4.2, "get_up_from_floor_alone", _GET_UP, reverse=True, stretch=1.4),
    Single("get_up_05", "deepmimic/humanoid3d_getup_facedown.txt", 0.0, None, "get_up_from_floor_alone",
           ("a person lying face down gets up from the floor", "someone pushes themselves up from the floor"),
           stretch=1.3),
    Single("get_up_06", "deepmimic/humanoid3d_getup_facedown.txt", 0.0, None, "get_up_from_floor_alone",
           ("a patient slowly gets up from lying face down", "an old person struggles up from the floor"),
           mirror=True, stretch=1.5),
    Single("pick_up_01", "soma/item_pick_up_standing_R_001__A410.bvh", 0.0, 3.2, "pick_up_from_floor", _PICK_UP),
    Single("pick_up_02", "soma/small_light_one_hand_pick_up_front_low_002__A507.bvh", 0.8, 4.6,
           "pick_up_from_floor", _PICK_UP),
    Single("pick_up_03", "soma/item_pick_up_standing_R_001__A410.bvh", 0.0, 3.2, "pick_up_from_floor",
           ("an elderly person slowly picks something up from the floor", *_PICK_UP[1:]), mirror=True, stretch=1.4),
    Single("pick_up_04", _DEPOSIT % ("mm", "024"), 0.2, 5.2, "pick_up_from_floor", _PICK_UP),
    Single("pick_up_05", "cmu/amc/02_06.amc", 0.0, 5.2, "pick_up_from_floor",
           ("a person bends, scoops something up and lifts it high", *_PICK_UP[1:])),
    Single("put_down_01", _DEPOSIT % ("bd", "002"), 0.0, 3.0, "pick_up_from_floor", _PUT_DOWN),
    Single("put_down_02", _DEPOSIT % ("tr", "032"), 0.2, 4.4, "pick_up_from_floor", _PUT_DOWN),
    Single("put_down_03", _DEPOSIT % ("bk", "010"), 0.0, 3.8, "pick_up_from_floor", _PUT_DOWN, mirror=True),
    Single("kneel_down_01", "deepmimic/humanoid3d_getup_faceup.txt", 3.02, 3.75, "kneel_down_alone", _KNEEL,
           reverse=True, stretch=1.5, kneels="left"),
    Single("kneel_down_02", "deepmimic/humanoid3d_getup_faceup.txt", 3.02, 3.75, "kneel_down_alone", _KNEEL,
           reverse=True, mirror=True, stretch=1.4, kneels="right"),
    Single("crawl_01", "deepmimic/humanoid3d_crawl.txt", 0.0, None, "crawl_alone", _CRAWL, stretch=1.4),
    Single("crawl_02", "deepmimic/humanoid3d_crawl.txt", 0.0, None, "crawl_alone", _CRAWL, mirror=True, stretch=1.5),
    Single("squat_01", _SQUAT % ("dg", "027"), 0.0, None, None, _SQUAT_DOWN, stretch=1.3),
    Single("squat_02", _SQUAT % ("tr", "050"), 0.0, None, None, _SQUAT_DOWN),
    Single("reach_01", _GRAB % ("mm", "018"), 0.0, None, None, _REACH),
    Single("reach_02", _GRAB % ("dg", "015"), 0.0, None, None, _REACH, stretch=1.2),
    Single("reach_03", _GRAB % ("bd", "001"), 0.0, None, None, _REACH, mirror=True, stretch=1.3),
    Single("drink_01", "cmu/amc/14_04.amc", 0.0, 6.2, None, _DRINK),
    Single("drink_02", "cmu/amc/14_37.amc", 0.0, 4.2, None, _DRINK),
    Single("wash_window_01", "cmu/amc/14_10.amc", 1.5, 9.5, None, _WINDOW),
    Single("wash_window_02", "cmu/amc/14_11.amc", 15.0, 23.0, None, _WINDOW),
    Single("mop_01", "cmu/amc/14_13.amc", 1.5, 9.5, None, _MOP),
    Single("mop_02", "cmu/amc/14_15.amc", 17.0, 25.0, None, _MOP),
    Single("wave_01", "soma/wave_R_001__A428.bvh", 0.0, 4.2, None, _WAVE),
    Single("wave_02", "soma/wave_R_001__A428.bvh", 0.0, 4.2, None,
           ("a person waves", "someone waves with the left hand", "a person greets by waving"), mirror=True),
    Single("talk_01", "cmu/amc/14_24.amc", 1.5, 8.5, None, _TALK),
    Single("talk_02", "cmu/amc/14_25.amc", 8.5, 15.0, None, _TALK),
    Single("handshake_01", "cmu/bvh-414Group/18_01.bvh", 0.0, 8.0, None, _HANDS),
    Single("stretch_01", "soma/body_stretch_1_004__A069.bvh", 0.0, 6.1, None, _STRETCH),
    Single("stretch_02", "cmu/amc/14_06.amc", 19.0, 26.0, None, _STRETCH),
    Single("wash_self_01", "cmu/amc/02_10.amc", 9.0, 17.0, None, _WASH),
    Single("idle_01", _IDLE % "000", 10.0, 18.0, None, _STAND),
    Single("idle_02", _IDLE % "002", 30.0, 38.0, None, _STAND),
    Single("idle_03", _IDLE % "011", 20.0, 28.0, None, _STAND),
    Single("idle_04", _IDLE % "007", 40.0, 48.0, None, _STAND),
)  # fmt: skip
