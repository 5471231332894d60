"""`panflow import FILE --network NAME --out MODEL.safetensors`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import", short_help="Turn a public checkpoint (.pth) into a model file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--network", required=True, help="Whose weights these are (`panflow names networks`).")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The model file, *.safetensors.")
@click.option("--sensor", help="What it was trained on; gives bands and bit depth where they are not given.")
@click.option("--bands", type=click.IntRange(min=1), help="[default: those of the sensor]")
@click.option("--bits", type=click.IntRange(1, 32), help="Of the counts that are 1 in training.  [default: sensor's]")
@click.option("--phase", type=float, help="Of MS in training, PAN pixels, for networks that take MS.  [default: r/2]")
@click.option("--set", "options", multiple=True, metavar="KEY=VALUE", help="An option of the network: form=unipan.")
@click.option("--licence", default="", help="Of the weights, kept in the model file.")
@click.option("--overwrite", is_flag=True, help="Replace the model file where it exists.")
def command(file, network, out, sensor, bands, bits, phase, options, licence, overwrite) -> None:
    """Read the weights in FILE (no code in it is run) and write a model that `panflow sharpen --method` takes."""
    from panflow import sensors
    from panflow.errors import InputError
    from panflow.files.output import Output
    from panflow.learned.file import save
    from panflow.learned.importing import import_checkpoint
    from panflow.settings import value_of

    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: expected a name that ends in .safetensors")
    output = click.get_current_context().with_resource(Output(out, inputs=[file], overwrite=overwrite, result=True))
    trained_on = sensors.load(sensor) if sensor else None
    count = bands or (len(trained_on.bands) if trained_on else 0)
    if not count:
        raise InputError("for how many bands are these weights? give --bands or --sensor")
    pairs = dict(value_of(text) for text in options)
    if own := {"bands", "bits", "phase", "sensor", "licence", "network", "path"} & pairs.keys():
        raise InputError(f"--set {min(own)}: expected an option of the network; give --{min(own)}")
    model = import_checkpoint(file, network, count, sensor=trained_on, bits=bits, phase=phase, licence=licence, **pairs)
    save(model, output)
    parameters = sum(p.numel() for p in model.network.parameters())
    click.echo(f"{out}: {network}, {count} bands, {parameters:,} parameters")
