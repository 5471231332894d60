# SPDX-License-Identifier: GPL-2.0-or-later
"""The algorithms: each turns its parameters into a command line of panflow, and what that says into results."""

import json
import os
import shlex

from qgis.core import (
    QgsMultiBandColorRenderer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputNumber,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

from . import help_texts, runner

STAGES = {
    "fit": "Learning the scene",
    "sharpen": "Sharpening",
    "finish": "Finishing the file",
    "scenes": "Sharpening scenes",
    "assess": "Judging",
    "compare": "Comparing",
    "reduce": "Reducing the pair",
    "write": "Writing files",
}
SOME_FAILED = 5  # exit code of a batch


class Algorithm(QgsProcessingAlgorithm):
    """What all have in common. NAME, TITLE: as QGIS lists it; COMMAND: of panflow."""

    NAME = TITLE = COMMAND = ""
    ALLOWED = ()  # exit codes that give a result, too

    def __init__(self, provider, listed):
        super().__init__()
        self.panflow, self.listed, self.stage = provider, listed, ""

    def createInstance(self):
        return type(self)(self.panflow, self.listed)

    def name(self):
        return self.NAME

    def displayName(self):
        return self.TITLE

    def shortHelpString(self):
        return help_texts.of(self.NAME)

    def icon(self):
        return QIcon(self.panflow.svgIconPath())

    def svgIconPath(self):
        return self.panflow.svgIconPath()

    def processAlgorithm(self, parameters, context, feedback):
        try:
            path = self.panflow.executable()
            words = [self.COMMAND, *self.words(parameters, context), "--json"]
            feedback.pushCommandInfo(shlex.join([path, *words]))
            printed = runner.run(
                path,
                words,
                lambda share, stage: self._progress(feedback, share, stage),
                feedback.pushInfo,
                feedback.isCanceled,
                self.ALLOWED,
            )
        except runner.Cancelled:
            raise QgsProcessingException("cancelled; nothing was left half-written") from None
        except runner.Failed as error:
            raise QgsProcessingException(str(error)) from None
        return self.results(parameters, context, feedback, printed)

    def _progress(self, feedback, share, stage):
        if stage != self.stage:
            feedback.setProgressText(STAGES.get(stage, stage))
        self.stage = stage
        feedback.setProgress(100 * share)

    def words(self, parameters, context):
        """The command's arguments."""
        raise NotImplementedError

    def results(self, parameters, context, feedback, printed):
        """Of what the command printed, what QGIS asked for."""
        raise NotImplementedError

    # parameters that several have

    def add(self, parameter, help="", advanced=False):
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        parameter.setHelp(help)
        self.addParameter(parameter)

    def add_pair(self, optional=False):
        pan, ms = (None, None) if optional else likely_pair()
        self.add(
            QgsProcessingParameterRasterLayer("PAN", "PAN: the panchromatic layer", pan, optional),
            "One band, finer than MS.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("MS", "MS: the multispectral layer", ms, optional),
            "All its bands are used; its extent, grid and reference system may differ from those of PAN.",
        )
        self.add(
            QgsProcessingParameterMultipleLayers("MORE", "Further MS bands", QgsProcessing.TypeRaster, optional=True),
            "Where every MS band is a file of its own: the bands that follow the one above, in order.",
        )

    def add_scene(self):
        """What is said of the files of PAN and MS."""
        sensors = ["auto", *(sensor["name"] for sensor in self.listed["sensors"])]
        self.add(
            choice("SENSOR", "Sensor", sensors, "auto"),
            "auto recognises it by tags and names; generic serves any other.",
        )
        self.add(
            QgsProcessingParameterString("REGISTER", "Register MS to PAN", "auto"),
            "auto measures by how much MS is displaced, and corrects it; off trusts the georeferencing; DY,DX is an "
            "offset in PAN pixels (rows, columns).",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("MTF", "MTF gains", "auto"),
            "auto estimates them from the scene; sensor takes those of the sensor; or numbers: 0.3 or 0.3,0.29,...",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("BANDS", "Names of the MS bands", "", optional=True),
            "Where the file does not name them: blue,green,red,nir",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber("NODATA", "A value that counts as nodata", REAL, None, optional=True),
            "Besides what the files declare.",
            advanced=True,
        )

    def add_method(self):
        models = [model["name"] for model in self.listed["models"]]
        methods = [method["name"] for method in self.listed["methods"]]
        self.add(
            choice("METHOD", "Method", [*models, *methods] or [""], self.listed["default"]),
            "A learned model, which serves any sensor, or a classical method, which is faster: "
            + "; ".join(f"{method['name']}: {method['summary']}" for method in self.listed["methods"]),
        )

    def pair_words(self, parameters, context):
        files = [self.file(parameters, "PAN", context), self.file(parameters, "MS", context)]
        more = self.parameterAsLayerList(parameters, "MORE", context) or []
        return [*files, *(source(layer) for layer in more)]

    def scene_words(self, parameters, context):
        words = []
        for name in ("SENSOR", "REGISTER", "MTF", "BANDS"):
            text = (
                self.parameterAsEnumString(parameters, name, context)
                if name == "SENSOR"
                else self.parameterAsString(parameters, name, context).strip()
            )
            words += [f"--{name.lower()}={text}"] if text else []  # one word: an offset may begin with a minus
        if parameters.get("NODATA") is not None:
            words.append(f"--nodata={self.parameterAsDouble(parameters, 'NODATA', context)!r}")
        return words

    def method_words(self, parameters, context):
        method = self.parameterAsEnumString(parameters, "METHOD", context)
        return [f"--method={method}"] if method else []

    def file(self, parameters, name, context):
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, name))
        return source(layer)

    def one_of(self, parameters, names, expected, context):
        given = [path for name in names if (path := self.parameterAsFile(parameters, name, context))]
        if len(given) != 1:
            raise QgsProcessingException(f"expected {expected}" + (", not both" if given else ""))
        return given[0]

    def optional_file(self, parameters, name, context):
        return self.file(parameters, name, context) if parameters.get(name) else None


def words_of(text):
    """The words of a command line."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise QgsProcessingException(f"the further options cannot be read ({error}): {text}") from None


REAL = QgsProcessingParameterNumber.Double


def choice(name, title, options, default, several=False):
    """One or several of a list of words, which are kept as words: a script stays right when the list grows."""
    return QgsProcessingParameterEnum(name, title, options, several, default, several, usesStaticStrings=True)


def source(layer):
    """The file of a layer, as GDAL names it."""
    if layer.providerType() != "gdal":
        raise QgsProcessingException(f"{layer.name()} is no raster file: expected a layer that GDAL reads")
    return layer.source()


def likely_pair():
    """Of the project's layers, the finest with one band as PAN, and the finest with more that is coarser, as MS."""
    layers = [layer for layer in QgsProject.instance().mapLayers().values() if isinstance(layer, QgsRasterLayer)]
    layers = sorted((layer for layer in layers if layer.providerType() == "gdal"), key=pixel)
    pan = next((layer for layer in layers if layer.bandCount() == 1), None)
    ms = next((layer for layer in layers if layer.bandCount() > 1 and pan and pixel(layer) > pixel(pan)), None)
    return (pan.id(), ms.id()) if ms else (None, None)


def pixel(layer):
    return layer.rasterUnitsPerPixelX()


class NaturalColour(QgsProcessingLayerPostProcessorInterface):
    """Shows red, green and blue where the file says which bands these are: QGIS takes the first three."""

    def postProcessLayer(self, layer, context, feedback):
        provider = layer.dataProvider()
        bands = {provider.colorInterpretation(i): i for i in range(1, layer.bandCount() + 1)}
        shown = [bands.get(color) for color in (QgsRaster.RedBand, QgsRaster.GreenBand, QgsRaster.BlueBand)]
        if None not in shown:
            layer.setRenderer(QgsMultiBandColorRenderer(provider, *shown))
            layer.setDefaultContrastEnhancement()
            layer.triggerRepaint()


NATURAL = NaturalColour()  # QGIS does not keep what it is given


class Sharpen(Algorithm):
    NAME, TITLE, COMMAND = "sharpen", "Pansharpen", "sharpen"

    def initAlgorithm(self, configuration=None):
        self.add_pair()
        self.add_rest()

    def add_rest(self):
        self.add_method()
        self.add_scene()
        self.add(
            QgsProcessingParameterString("EXTRA", "Further options of panflow sharpen", "", optional=True),
            "As on the command line, names with blanks in quotes: --detail ms --dem 'my heights.tif'",
            advanced=True,
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "QUICKLOOK", "Picture of before and after", "PNG (*.png)", None, True, createByDefault=False
            )
        )
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Sharpened"))
        self.addOutput(QgsProcessingOutputNumber("SHIFT_Y", "Offset of MS, rows (PAN pixels)"))
        self.addOutput(QgsProcessingOutputNumber("SHIFT_X", "Offset of MS, columns (PAN pixels)"))
        self.addOutput(QgsProcessingOutputNumber("CONFIDENCE", "Confidence of the offset"))

    def inputs(self, parameters, context):
        return self.pair_words(parameters, context)

    def words(self, parameters, context):
        out = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        picture = self.parameterAsFileOutput(parameters, "QUICKLOOK", context)
        return [
            *self.inputs(parameters, context),
            out,
            "--overwrite",  # QGIS has asked already
            *self.method_words(parameters, context),
            *self.scene_words(parameters, context),
            *words_of(self.parameterAsString(parameters, "EXTRA", context)),
            *([f"--quicklook={picture}"] if picture else []),
        ]

    def results(self, parameters, context, feedback, printed):
        report = json.loads(printed)
        if context.willLoadLayerOnCompletion(report["output"]):
            context.layerToLoadOnCompletionDetails(report["output"]).setPostProcessor(NATURAL)
        feedback.pushInfo(f"verdict: {report['verdict']}")
        for note in report["warnings"]:
            feedback.pushInfo(f"note: {note}")
        y, x = report["shift_pixels"]
        applied = "corrected" if report["shift_applied"] else "not corrected"
        feedback.pushInfo(f"sensor {report['sensor']}; MS lies {y or 0:+.2f}, {x or 0:+.2f} PAN pixels off, {applied}")
        return {
            "OUTPUT": report["output"],
            "QUICKLOOK": self.parameterAsFileOutput(parameters, "QUICKLOOK", context),
            "SHIFT_Y": y,
            "SHIFT_X": x,
            "CONFIDENCE": report["shift_confidence"],
        }


class SharpenScene(Sharpen):
    NAME, TITLE = "sharpenscene", "Pansharpen a scene"

    def initAlgorithm(self, configuration=None):
        self.add(
            QgsProcessingParameterFile(
                "SCENE", "Folder of the scene", QgsProcessingParameterFile.Folder, optional=True
            ),
            "As delivered: Landsat, Airbus (DIMAP), Maxar, Gaofen, CBERS; or with pan.tif and ms.tif.",
        )
        self.add(
            QgsProcessingParameterFile("ITEM", "or its metadata file, or a STAC Item", optional=True),
            "As *_MTL.txt, DIM_*.XML, *.TIL, item.json.",
        )
        self.add_rest()

    def inputs(self, parameters, context):
        return [self.one_of(parameters, ("SCENE", "ITEM"), "the folder of a scene, or its metadata file", context)]


class Assess(Algorithm):
    NAME, TITLE, COMMAND = "assess", "Assess", "assess"

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterRasterLayer("FUSED", "The sharpened layer, of any tool"))
        self.add_pair(optional=True)
        self.add(
            QgsProcessingParameterRasterLayer("REFERENCE", "Reference: the truth on the same grid", None, True),
            "With it, indices with reference are computed; without, PAN and MS are needed.",
        )
        self.add(
            QgsProcessingParameterString("INDICES", "Indices", "", optional=True),
            "Names or a set (toolbox, otfm, unipan); empty: those that fit.",
        )
        self.add_scene()
        self.addParameter(
            QgsProcessingParameterFileDestination("TABLE", "Table", "CSV (*.csv)", None, True, createByDefault=False)
        )

    def words(self, parameters, context):
        words = [self.file(parameters, "FUSED", context)]
        if parameters.get("PAN") or parameters.get("MS"):
            pan, *ms = self.pair_words(parameters, context)
            words += [f"--pan={pan}", *(f"--ms={path}" for path in ms)]
        reference = self.optional_file(parameters, "REFERENCE", context)
        indices = self.parameterAsString(parameters, "INDICES", context).strip()
        table = self.parameterAsFileOutput(parameters, "TABLE", context)
        words += [f"--reference={reference}"] if reference else []
        words += [f"--indices={indices}"] if indices else []
        words += [f"--csv={table}", "--overwrite"] if table else []
        return [*words, *self.scene_words(parameters, context)]

    def results(self, parameters, context, feedback, printed):
        report = json.loads(printed)
        for name, value in report["indices"].items():
            feedback.pushInfo(f"{name:<20} {'-' if value is None else format(value, '.4f')}")
        for note in report["warnings"]:
            feedback.pushInfo(f"note: {note}")
        return {"TABLE": self.parameterAsFileOutput(parameters, "TABLE", context), **report["indices"]}


class Compare(Algorithm):
    NAME, TITLE, COMMAND = "compare", "Compare methods", "compare"

    def initAlgorithm(self, configuration=None):
        self.add_pair()
        models = [model["name"] for model in self.listed["models"]]
        methods = [method["name"] for method in self.listed["methods"]]
        self.add(
            choice("METHODS", "Methods", [*models, *methods] or [""], [], several=True), "None chosen: all methods."
        )
        whole = QgsProcessingParameterNumber.Integer
        self.addParameter(QgsProcessingParameterNumber("CROPS", "Crops", whole, 3, False, 1))
        self.addParameter(QgsProcessingParameterNumber("SIDE", "Side of a crop, PAN pixels", whole, 512, False, 128))
        self.add_scene()
        self.addParameter(
            QgsProcessingParameterFileDestination("TABLE", "Table", "CSV (*.csv)", None, True, createByDefault=False)
        )
        self.addParameter(
            QgsProcessingParameterFolderDestination("SHEETS", "Folder of pictures", None, True, createByDefault=False)
        )

    def words(self, parameters, context):
        methods = self.parameterAsEnumStrings(parameters, "METHODS", context)
        table = self.parameterAsFileOutput(parameters, "TABLE", context)
        sheets = self.parameterAsString(parameters, "SHEETS", context)
        return [
            *self.pair_words(parameters, context),
            f"--crops={self.parameterAsInt(parameters, 'CROPS', context)}",
            f"--side={self.parameterAsInt(parameters, 'SIDE', context)}",
            "--overwrite",
            *([f"--methods={','.join(methods)}"] if methods else []),
            *([f"--csv={table}"] if table else []),
            *([f"--out={sheets}"] if sheets else []),
            *self.scene_words(parameters, context),
        ]

    def results(self, parameters, context, feedback, printed):
        report = json.loads(printed)
        for score in report["scores"]:
            values = {**(score.get("full") or {}), **(score.get("reduced") or {})}
            cells = [f"{name} {value:.4f}" for name, value in values.items() if value is not None]
            feedback.pushInfo(f"{score['method']:<16} {score.get('failed') or ', '.join(cells)}")
        return {
            "TABLE": self.parameterAsFileOutput(parameters, "TABLE", context),
            "SHEETS": self.parameterAsString(parameters, "SHEETS", context),
        }


class Degrade(Algorithm):
    NAME, TITLE, COMMAND = "degrade", "Degrade by Wald's protocol", "degrade"
    FILES = ("pan", "ms", "reference")

    def initAlgorithm(self, configuration=None):
        self.add_pair()
        self.add_scene()
        self.addParameter(QgsProcessingParameterFolderDestination("FOLDER", "Folder of the reduced pair"))
        for name in self.FILES:
            self.addOutput(QgsProcessingOutputRasterLayer(f"REDUCED_{name.upper()}", f"Reduced: {name}"))

    def words(self, parameters, context):
        folder = self.parameterAsString(parameters, "FOLDER", context)
        pair = self.pair_words(parameters, context)
        return [*pair, folder, "--overwrite", *self.scene_words(parameters, context)]

    def results(self, parameters, context, feedback, printed):
        files = json.loads(printed)["files"]
        folder = self.parameterAsString(parameters, "FOLDER", context)
        return {"FOLDER": folder, **{f"REDUCED_{name.upper()}": files[name] for name in self.FILES}}


class Batch(Algorithm):
    NAME, TITLE, COMMAND = "batch", "Pansharpen many scenes", "batch"
    ALLOWED = (SOME_FAILED,)

    def initAlgorithm(self, configuration=None):
        self.add(
            QgsProcessingParameterFile("ARCHIVE", "Folder of scenes", QgsProcessingParameterFile.Folder, optional=True),
            "Scenes are looked for in it, as delivered, or as pan.tif and ms.tif.",
        )
        self.add(
            QgsProcessingParameterFile("MANIFEST", "or manifest", fileFilter="(*.csv *.jsonl *.json)", optional=True),
            "A table with the columns id, pan, ms and any option of panflow sharpen; or STAC: catalog, ItemCollection.",
        )
        self.add_method()
        self.add_scene()
        self.add(QgsProcessingParameterBoolean("OVERWRITE", "Do every scene anew", False), advanced=True)
        self.addParameter(QgsProcessingParameterFolderDestination("FOLDER", "Folder of the results"))
        self.addOutput(QgsProcessingOutputNumber("DONE", "Scenes sharpened"))
        self.addOutput(QgsProcessingOutputNumber("FAILED", "Scenes that failed"))

    def words(self, parameters, context):
        archive = self.one_of(parameters, ("ARCHIVE", "MANIFEST"), "a folder of scenes, or a manifest", context)
        folder = self.parameterAsString(parameters, "FOLDER", context)
        again = ["--overwrite"] if self.parameterAsBool(parameters, "OVERWRITE", context) else []
        words = [*self.method_words(parameters, context), *self.scene_words(parameters, context)]
        return [archive, folder, *again, *words]

    def results(self, parameters, context, feedback, printed):
        ended = [json.loads(line) for line in printed.splitlines()]
        failed = [entry for entry in ended if entry["state"] != "done"]
        folder = self.parameterAsString(parameters, "FOLDER", context)
        feedback.pushInfo(f"journal: {os.path.join(folder, 'panflow-batch.jsonl')}")
        return {"FOLDER": folder, "DONE": len(ended) - len(failed), "FAILED": len(failed)}


ALGORITHMS = (Sharpen, SharpenScene, Assess, Compare, Degrade, Batch)
