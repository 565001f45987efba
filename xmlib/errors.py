"""The one exception that means: the input was wrong, and the message says what to do."""


class InputError(ValueError):
    """Bad input from the user; the message is one sentence naming what is wrong, the value and the remedy."""
