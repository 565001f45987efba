"""The exceptions that others catch: the input was wrong, or the numbers of a training were."""


class InputError(ValueError):
    """Bad input from the user; the message is one sentence naming what is wrong, the value and the remedy."""


class DivergedError(ArithmeticError):
    """The numbers handed over are not finite, so no projection exists; training ends its phase when it sees this."""
