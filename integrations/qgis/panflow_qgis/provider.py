# SPDX-License-Identifier: GPL-2.0-or-later
"""The plug-in, and the provider with its algorithms and its setting."""

import json
from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication, QgsMessageLog, QgsProcessingProvider, QgsSettings
from qgis.PyQt.QtGui import QIcon

from . import runner
from .algorithms import ALGORITHMS

ICON = str(Path(__file__).with_name("icon.svg"))
EXECUTABLE = "PANFLOW_EXECUTABLE"  # the setting
EMPTY = {"default": "", "methods": [], "models": [], "sensors": []}
CACHE = "panflow/names"  # in QGIS's settings: what the command listed, and of which command that was


class Plugin:
    """Adds the provider to QGIS, and takes it out again."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        self.initProcessing()

    def unload(self):
        if self.provider:
            QgsApplication.processingRegistry().removeProvider(self.provider)


class Provider(QgsProcessingProvider):
    def id(self):
        return "panflow"

    def name(self):
        return "panflow"

    def longName(self):
        return "panflow: pansharpening"

    def icon(self):
        return QIcon(ICON)

    def svgIconPath(self):
        return ICON

    def load(self):
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(
            Setting(self.name(), EXECUTABLE, "The command panflow (empty: looked for)", "", valuetype=Setting.FILE)
        )
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self):
        ProcessingConfig.removeSetting(EXECUTABLE)

    def loadAlgorithms(self):
        listed = self._names()
        for kind in ALGORITHMS:
            self.addAlgorithm(kind(self, listed))

    @staticmethod
    def executable():
        """The path of the command. Raises runner.Failed."""
        return runner.executable(ProcessingConfig.getSetting(EXECUTABLE) or "")

    def _names(self):
        """What there is to choose from; asked of the command once, and again where that was installed anew."""
        try:
            path = self.executable()
            stamp = runner.stamp(path)
            kept = json.loads(QgsSettings().value(CACHE, "") or "{}")
            if kept.get("stamp") != stamp:
                listed = runner.names(path)
                kept = {"stamp": stamp, "names": {key: listed[key] for key in EMPTY}}
                QgsSettings().setValue(CACHE, json.dumps(kept))
            return kept["names"]
        except (runner.Failed, OSError) as error:
            QgsMessageLog.logMessage(str(error), "panflow")
            return EMPTY
