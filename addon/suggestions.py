"""Sentences that the generator knows how to perform, offered while the user types."""

PROMPTS = (
    "staff helps patient up from bed",
    "staff helps patient up from a chair",
    "staff helps a fallen patient up from the floor",
    "staff walks beside the patient and holds the arm",
    "staff helps patient sit down in the armchair",
    "staff helps patient lie down in bed",
    "staff hands the patient a cup",
    "staff comforts the patient with a hand on the shoulder",
    "staff pushes the patient in a wheelchair",
    "staff moves the patient from the bed to the wheelchair",
    "the patient trips and staff catches the fall",
    "the patient falls and staff rushes to help",
    "staff and patient stand and talk",
    "staff talks with the patient at the bedside",
    "an elderly person walks through the room",
    "an elderly person walks with a walker",
    "an elderly person sits down in a chair",
    "an elderly person stands up from a chair",
    "an elderly person lies down in bed",
    "an elderly person gets out of bed alone",
    "an elderly person picks something up from the floor",
    "an elderly person falls forward while walking",
    "an elderly person falls backward",
    "an elderly person falls sideways",
    "an elderly person falls out of bed",
    "an elderly person falls from a chair",
    "an elderly person slides to the floor",
    "an elderly person gets up from the floor",
    "a person kneels down",
    "a person crawls on the floor",
)


def matching(text: str) -> list[str]:
    """Those whose words begin with the words typed; all of them for nothing typed."""
    words = text.lower().split()
    return [line for line in PROMPTS if all(any(w.startswith(word) for w in line.lower().split()) for word in words)]
