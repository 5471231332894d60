# SPDX-License-Identifier: GPL-2.0-or-later
"""panflow in QGIS's Processing toolbox."""


def classFactory(_iface):
    """What QGIS calls to load the plug-in."""
    from .provider import Plugin

    return Plugin()
