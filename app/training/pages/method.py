"""The wizard's page about the method: which heads, a preset, and every setting for those who want to see it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from app.training.config_form import ConfigForm
from app.training.draft import MEASURING, PRESETS, SECTIONS, Draft, usable_heads
from app.training.pages.page import Page
from app.widgets import choice_box
from flora_engine.choices import modules_of

# In the order of the page: the method and what the program ships, baselines, rivals by year.
_HEADS = {
    "flora": "the paper's method: texts and skeletons in one space, and a flow that decides",
    "ensemble": "Flora, nearest mean and ridge regression together",
    "descriptors": "what was measured against what the words make expect; no encoder, needs the recordings",
    "ensemble_descriptors": "the ensemble and the descriptors together, as a model of this window ranks",
    "nearest_mean": "the nearest class text after a learned map: quick, a baseline",
    "eszsl": "ridge regression between features and texts: seconds, a baseline",
    "smie": "agreement of features and texts, learned by contrast",
    "cada_vae": "two autoencoders with one latent space",
    "devise": "a linear map that ranks the own class text first (2013)",
    "revise": "two autoencoders whose codes are made alike, and a ranking (2017)",
    "jpose": "one space for verbs, one for nouns, and one for both (2019)",
    "synse": "autoencoders of verbs and of nouns, each with its half of a recording's latent (2021)",
    "sa_dvae": "autoencoders that keep meaning and style of a recording apart (2024)",
    "purls": "a recording's joints against descriptions of body parts and stretches of time (2024)",
    "star": "attributes of six body parts, from their joints and from the texts (2024)",
    "tdsm": "a diffusion model: the class whose text denoises a recording best (2025)",
}


class MethodPage(Page):
    """A preset fills the settings; the expert tabs change any of them."""

    title = "How is it trained?"
    explanation = (
        "Heads name actions from features and texts. A model that can rank in this window needs flora or ensemble."
    )

    def __init__(self) -> None:
        super().__init__()
        self.preset = choice_box([(f"{name}: {text}", name) for name, (text, *_) in PRESETS.items()])
        self.preset.addItem("as set below", "")
        self.preset.setAccessibleName("Preset")
        self.preset.activated.connect(self._on_preset)
        self.heads: dict[str, QCheckBox] = {}
        simple, inside = QWidget(), QWidget()
        listed, column = QVBoxLayout(inside), QVBoxLayout(simple)
        column.setContentsMargins(0, 8, 0, 0)
        listed.setContentsMargins(0, 0, 0, 0)
        for name in dict.fromkeys([*_HEADS, *modules_of("flora_engine.heads")]):
            box = QCheckBox(f"{name}: {_HEADS[name]}" if name in _HEADS else name)
            box.toggled.connect(lambda _: self.changed.emit())
            self.heads[name] = box
            listed.addWidget(box)
        listed.addStretch(1)
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(inside)
        column.addWidget(area, 1)
        self.final = QCheckBox("At the end, train once more on all classes and recordings, and use that model")
        self.final.toggled.connect(lambda _: self.changed.emit())
        column.addSpacing(8)
        column.addWidget(self.final)
        self.forms = {name: ConfigForm(section) for name, section in SECTIONS.items()}
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(simple, "Heads")
        for name, form in self.forms.items():
            form.changed.connect(self._on_setting)
            self.tabs.addTab(form, f"Expert: {'the encoder' if name == 'encoder' else 'Flora'}")
        form_row = QFormLayout()
        row = QHBoxLayout()
        row.addWidget(self.preset, 1)
        form_row.addRow(QLabel("Preset"), row)
        self.column.addLayout(form_row)
        self.column.addWidget(self.tabs, 1)

    def show_draft(self, draft: Draft) -> None:
        for name, box in self.heads.items():
            box.blockSignals(True)
            box.setChecked(name in draft.heads)
            box.setEnabled(name not in MEASURING or name in usable_heads(replace(draft, heads=MEASURING)))
            box.setToolTip("" if box.isEnabled() else "A feature file holds no recordings to measure")
            box.blockSignals(False)
        self.preset.setCurrentIndex(self.preset.findData(draft.preset))
        for name, form in self.forms.items():
            form.set_values(getattr(draft, name))
        self.final.blockSignals(True)
        self.final.setChecked(draft.final)
        self.final.blockSignals(False)
        published = draft.source == "published"
        self.final.setVisible(not published)
        self.tabs.setTabVisible(1, not published)

    def fill(self, draft: Draft) -> Draft:
        return replace(
            draft,
            preset=str(self.preset.currentData()),
            heads=tuple(name for name, box in self.heads.items() if box.isChecked()),
            encoder=self.forms["encoder"].values(),
            flora=self.forms["flora"].values(),
            final=self.final.isChecked(),
        )

    def _on_preset(self, _place: int) -> None:
        name = str(self.preset.currentData())
        if name:
            chosen = Draft().with_preset(name)
            for key, form in self.forms.items():
                form.set_values(getattr(chosen, key))
            for head, box in self.heads.items():
                box.setChecked(head in chosen.heads)
        self.changed.emit()

    def _on_setting(self) -> None:
        self.preset.setCurrentIndex(self.preset.findData(""))
        self.changed.emit()
