"""`panflow export MODEL OUT.onnx`."""

from __future__ import annotations

from pathlib import Path

import click

ERROR = 1e-4  # of the answer, root mean square: what an exported network may be off


@click.command("export", short_help="Write a model's network as an ONNX file, and check it.")
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--bands", type=click.IntRange(min=1), help="Of models for any number.  [default: its sensor's, or 4]")
@click.option("--size", type=click.IntRange(min=16), default=256, show_default=True, help="PAN pixels a side.")
@click.option(
    "--any-size",
    is_flag=True,
    help="For any height and width, and any bands but with --bands, where the network allows.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
def command(model, out, bands, size, any_size, overwrite) -> None:
    """Write the network of MODEL (a bundled model or a model file) to OUT.

    The file holds the network, and says of what model it is; its inputs are those that `panflow.learned.inputs` makes
    of a scene, its answer is in units of the model's transform. It is run by ONNX Runtime on random inputs, and kept
    only if it answers as torch does.
    """
    from panflow import zoo
    from panflow.errors import InputError, MissingInput
    from panflow.files.output import Output
    from panflow.learned.graph import METADATA, describe
    from panflow.learned.model import Model
    from panflow.learned.runtime import onnx
    from panflow.learned.runtime._backend import difference, random_inputs
    from panflow.learned.runtime._graph import onnx_bytes, order
    from panflow.learned.weights import digest

    if missing := onnx.missing():
        raise MissingInput(missing)
    output = click.get_current_context().with_resource(Output(out, inputs=[model], overwrite=overwrite, result=True))
    opened = zoo.load(model, device="cpu", runtime="torch")
    if not isinstance(opened, Model):
        raise InputError(f"{model} is a classical method: expected a model, which has a network to export")
    network = opened.network
    section = opened.recipe["network"]
    default = len(opened.sensor.bands) if opened.sensor else 4
    sizes = {"bands": section.get("bands") or bands or default, "ratio": section.get("ratio") or 4}
    if bands and bands != sizes["bands"]:
        raise InputError(f"{model} is for {sizes['bands']} bands, not for {bands}")

    def tensors(state, inputs):
        return dict(zip(order(network), (*state, *(inputs[name] for name in network.inputs))))

    any_bands = any_size and not (bands or section.get("bands"))
    try:
        file = onnx_bytes(network, tensors(*random_inputs(network, sizes, (size, size))), any_size, any_bands)
    except Exception as error:  # torch's exporter raises whatever it likes
        hint = "leave --any-size out" if any_size else "the network cannot be exported"
        raise InputError(f"{model} could not be written as a graph: {hint} ({str(error).splitlines()[0]})") from None
    run = onnx.answer(file)

    def exported(*state, **inputs):
        return run(list(tensors(state, {k: v for k, v in inputs.items() if k in network.inputs}).values()))

    shapes = [(sizes, (size, size))]
    if any_size:
        shapes.append((sizes | {"bands": sizes["bands"] + any_bands}, (size + 32, size + 64)))
    errors = [difference(exported, network, *random_inputs(network, *each)) for each in shapes]
    if max(errors) > ERROR:
        raise InputError(f"the exported network differs from torch by {max(errors):.1e} of its answer: nothing written")
    output.write(onnx.described(file, METADATA, describe(opened, weights=digest(network))))
    shape = "any size" if any_size else f"{size} x {size} PAN pixels"
    bands = "any number of" if any_bands else sizes["bands"]
    click.echo(f"{out}: {section['name']}, {bands} bands, {shape}; inputs {', '.join(order(network))}")
    click.echo(f"ONNX Runtime against torch: {max(errors):.1e} of the answer, root mean square")
