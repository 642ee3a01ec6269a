"""The wizard's page about the method says of every head what it is, and stays small however many there are."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from app.training.pages.method import MethodPage
from flora_engine.choices import modules_of


def test_every_head_has_a_line_and_those_that_ship_come_first(qtbot: QtBot) -> None:
    page = MethodPage()
    qtbot.addWidget(page)
    assert set(page.heads) == set(modules_of("flora_engine.heads"))
    assert list(page.heads)[:2] == ["flora", "ensemble"]
    assert not [name for name, box in page.heads.items() if len(box.text()) < len(name) + 20]


def test_the_page_fits_into_a_small_window(qtbot: QtBot) -> None:
    page = MethodPage()
    qtbot.addWidget(page)
    assert page.minimumSizeHint().height() < 420
