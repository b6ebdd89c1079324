"""The one kind of error whose text is meant for the user."""


class CareSynthError(Exception):
    """Something that the user can act on, said in one sentence."""


# What Python and Blender raise where a file's values are not of the kind that they should be
DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RuntimeError)


def damaged(path: object, error: Exception) -> CareSynthError:
    """One of `DAMAGE` as a sentence."""
    text = " ".join(str(error).split())
    return CareSynthError(
        f"{path} is damaged: {text} is missing"
        if isinstance(error, KeyError)
        else f"{path} is damaged ({type(error).__name__}: {text})"
    )
