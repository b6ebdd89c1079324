"""The one kind of error whose text is meant for the user."""


class CareSynthError(Exception):
    """Something that the user can act on, said in one sentence."""
