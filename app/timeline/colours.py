"""One colour per class: the user's, else one of a row of colours that are easy to tell apart. Qt-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Okabe and Ito 2008 without black, then tones of them: told apart without red and green, too.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a500"),
    *("#6a4c93", "#7f7f7f", "#8c564b", "#1b998b", "#c44569"),
)


class Colours:
    """Gives every class a colour; one that was given stays."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def set_own(self, own: Mapping[str, str]) -> None:
        """The colours that the user chose, by class name."""
        self._own = {name.casefold(): colour for name, colour in own.items() if colour}

    def meet(self, names: Iterable[str]) -> None:
        """Give these classes colours in this order."""
        for name in names:
            self.of(name)

    def of(self, name: str) -> str:
        """The colour of a class as #rrggbb."""
        key = name.casefold()
        if key in self._own:
            return self._own[key]
        if key not in self._given:
            self._given[key] = PALETTE[len(self._given) % len(PALETTE)]
        return self._given[key]


def text_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG relative luminance)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"
