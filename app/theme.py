"""Light, dark, or as the system.

Both themes use a palette of our own, because plain X11 desktops ignore the colour scheme that Qt asks for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from flora_engine.resources import RESOURCES

ICONS = RESOURCES / "icons"


@dataclass(frozen=True)
class Theme:
    """Colours by their use. Text on its background reaches a contrast of 4.5 (tested)."""

    name: str
    window: str
    surface: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    on_warning: str
    stage: str
    grid: str


LIGHT = Theme(
    name="light",
    window="#f4f5f7",
    surface="#ffffff",
    raised="#e9ebef",
    border="#ccd1d9",
    text="#1c2129",
    muted="#59626f",
    accent="#2563c9",
    on_accent="#ffffff",
    warning="#fdf1d8",
    on_warning="#5d4200",
    stage="#fafbfc",
    grid="#c9ced6",
)
DARK = Theme(
    name="dark",
    window="#1d2026",
    surface="#16181d",
    raised="#2b2f38",
    border="#3c424d",
    text="#e6e9ee",
    muted="#a0a8b5",
    accent="#5b95f5",
    on_accent="#0c1526",
    warning="#423510",
    on_warning="#fbe3a4",
    stage="#101216",
    grid="#343a45",
)


# Qt's style sheet; names in braces are fields of the theme.
_STYLE = """
QMainWindow::separator {{ background: {window}; width: 6px; height: 6px; }}
QMainWindow::separator:hover {{ background: {accent}; }}
QDockWidget {{ color: {muted}; font-weight: 600; }}
QDockWidget::title {{ background: {window}; padding: 8px 10px 4px 10px; text-align: left; }}
QMenuBar {{ background: {window}; padding: 2px 4px; }}
QMenuBar::item {{ padding: 4px 9px; border-radius: 4px; }}
QMenuBar::item:selected {{ background: {raised}; }}
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {border}; padding: 4px; }}
QLineEdit, QPlainTextEdit, QListView, QTableView, QTreeView {{
    background: {surface}; border: 1px solid {border}; border-radius: 6px; padding: 4px;
    selection-background-color: {accent}; selection-color: {on_accent}; }}
QLineEdit:focus, QPlainTextEdit:focus, QListView:focus, QTableView:focus, QTreeView:focus {{
    border: 1px solid {accent}; }}
QListView {{ outline: none; }}
QListView::item {{ padding: 5px 6px; border-radius: 4px; }}
QListView::item:hover {{ background: {raised}; }}
QListView::item:selected, QTableView::item:selected {{ background: {accent}; color: {on_accent}; }}
QTableView::item {{ padding: 0 6px; }}
QTreeView::item {{ padding: 3px 4px; }}
QTreeView::indicator, QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {muted};
    border-radius: 3px; background: {surface}; }}
QTreeView::indicator:checked, QCheckBox::indicator:checked {{ background: {accent}; border-color: {accent};
    image: url({icons}/check-{name}.svg); }}
QRadioButton::indicator {{ width: 12px; height: 12px; border: 1px solid {muted}; border-radius: 7px;
    background: {surface}; }}
QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 4px solid {accent}; background: {on_accent}; }}
QCheckBox:focus, QRadioButton:focus {{ color: {accent}; }}
QHeaderView::section {{ background: {window}; color: {muted}; border: none;
    border-bottom: 1px solid {border}; padding: 4px 6px; }}
QTableCornerButton::section {{ background: {window}; border: none; border-bottom: 1px solid {border}; }}
QComboBox, QAbstractSpinBox {{ background: {surface}; border: 1px solid {border}; border-radius: 6px;
    padding: 3px 6px; min-height: 20px; selection-background-color: {accent};
    selection-color: {on_accent}; }}
QComboBox:hover, QAbstractSpinBox:hover, QComboBox:focus, QAbstractSpinBox:focus {{ border-color: {accent}; }}
QComboBox:disabled, QAbstractSpinBox:disabled {{ background: {window}; }}
QComboBox::drop-down, QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: none; width: 18px; }}
QComboBox::down-arrow, QAbstractSpinBox::down-arrow {{ image: url({icons}/down-{name}.svg); width: 10px; }}
QAbstractSpinBox {{ padding: 1px 0 1px 6px; }}
QAbstractSpinBox QLineEdit {{ border: none; padding: 0 0 0 5px; background: transparent; }}
QAbstractSpinBox::up-arrow {{ image: url({icons}/up-{name}.svg); width: 10px; }}
QComboBox QAbstractItemView {{ border-radius: 0; padding: 0; }}
QTabWidget::pane {{ border: none; }}
QTabBar::tab {{ background: transparent; color: {muted}; border: none; border-bottom: 2px solid transparent;
    padding: 4px 7px; }}
QTabBar::tab:selected {{ color: {text}; border-bottom: 2px solid {accent}; }}
QTabBar::tab:focus {{ color: {accent}; }}
QPushButton, QToolButton {{ background: {raised}; border: 1px solid {border}; border-radius: 6px;
    padding: 5px 12px; min-height: 18px; }}
QToolButton {{ padding: 4px 6px; }}
QToolButton::menu-indicator {{ image: none; }}
QPushButton:hover, QToolButton:hover {{ border-color: {accent}; }}
QPushButton:focus, QToolButton:focus {{ border: 1px solid {accent}; }}
QPushButton:checked, QToolButton:checked {{ background: {accent}; color: {on_accent};
    border-color: {accent}; }}
QPushButton[primary="true"] {{ background: {accent}; color: {on_accent}; border-color: {accent};
    font-weight: 600; }}
QPushButton[primary="true"]:disabled {{ background: {raised}; color: {muted}; border-color: {border}; }}
QPushButton[role="link"] {{ background: transparent; border-color: transparent; color: {accent}; padding: 2px 4px;
    text-decoration: underline; }}
QPushButton[role="link"]:focus {{ border-color: {accent}; }}
QSlider::groove:horizontal {{ background: {border}; height: 4px; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {accent}; height: 4px; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {accent}; width: 14px; margin: -5px 0; border-radius: 7px; }}
QSlider::handle:horizontal:focus {{ border: 2px solid {text}; width: 12px; margin: -6px 0; border-radius: 8px; }}
QSlider::handle:horizontal:disabled, QSlider::sub-page:horizontal:disabled {{ background: {border}; }}
QLabel[role="muted"] {{ color: {muted}; }}
QLabel[role="title"] {{ font-size: 17pt; font-weight: 600; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QFrame[role="notice"] {{ background: {warning}; border: 1px solid {border}; border-radius: 6px; }}
QFrame[role="notice"] QLabel {{ color: {on_warning}; }}
QToolButton[role="quiet"] {{ background: {raised}; color: {text}; padding: 3px 8px; }}
QToolButton[role="doubt"] {{ background: {warning}; color: {on_warning}; padding: 3px 8px; }}
QFrame[role="stage"] {{ background: {stage}; border: 1px solid {border}; border-radius: 6px; }}
QProgressBar {{ border: 1px solid {border}; border-radius: 4px; text-align: center; min-height: 16px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 3px; }}
QStatusBar {{ color: {muted}; }}
QStatusBar::item {{ border: none; }}
"""
_current = LIGHT


def system_theme(application: QApplication) -> Theme:
    """The theme that the desktop asks for; light if it does not say."""
    return DARK if application.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT


def apply_theme(application: QApplication, choice: str) -> Theme:
    """Use the theme of `choice`, "system", "light" or "dark", and return it."""
    global _current  # noqa: PLW0603 (the palette of the application is global, too)
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # The hint is for title bars and native dialogs, on platforms that follow it; our palette does the rest.
    application.styleHints().setColorScheme(schemes.get(choice, Qt.ColorScheme.Unknown))
    theme = _current = {"light": LIGHT, "dark": DARK}.get(choice) or system_theme(application)
    application.setStyle("Fusion")  # from here on widgets hear of a change, and ask for the theme
    application.setPalette(_palette(theme))
    application.setStyleSheet(_style_sheet(theme))
    return theme


def current_theme() -> Theme:
    """The theme in use."""
    return _current


def _palette(theme: Theme) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface,
        QPalette.ColorRole.AlternateBase: theme.window,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.on_accent,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.LinkVisited: theme.accent,
        QPalette.ColorRole.Light: theme.raised,
        QPalette.ColorRole.Midlight: theme.raised,
        QPalette.ColorRole.Mid: theme.border,
        QPalette.ColorRole.Dark: theme.border,
        QPalette.ColorRole.Shadow: theme.border,
        QPalette.ColorRole.Accent: theme.accent,
    }
    palette = QPalette()
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        faint = QColor(theme.muted)
        faint.setAlphaF(0.6)
        palette.setColor(QPalette.ColorGroup.Disabled, role, faint)
    return palette


def _style_sheet(theme: Theme) -> str:
    return _STYLE.format(icons=ICONS.as_posix(), **asdict(theme))
