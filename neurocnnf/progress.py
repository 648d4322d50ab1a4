"""How long work reports how far it is."""

from collections.abc import Callable

# Called with (what is being done, how much is done, how much there is).
Progress = Callable[[str, int, int], None]
