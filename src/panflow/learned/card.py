"""Model cards as STAC Items, by the extension for machine learning models (MLM)."""

from __future__ import annotations

from typing import Any

from panflow import __version__, registry
from panflow.files.remote import sha256
from panflow.learned.file import open_model

EXTENSIONS = ("mlm/v1.5.2", "file/v2.1.0")
EVER = ("1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
GLOBE = (-180.0, -90.0, 180.0, 90.0)


def card(name: str) -> dict[str, Any]:
    """Of a bundled model: what it is, from what it was trained, its file. Raises UnknownName."""
    path = registry.path("models", registry.closest("models", name, registry.names("models")))
    model = open_model(path)
    west, south, east, north = GLOBE
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    training = model.info.get("training", {})
    sources = training.get("data", {}).get("sources", [])
    images = [{key: source.get(key, "") for key in ("folder", "licence", "credit")} for source in sources]
    credits = sorted({f"{image['credit']} ({image['licence']})" for image in images if image["credit"]})
    anything = {"shape": [-1, -1, -1, -1], "dim_order": ["batch", "channel", "height", "width"], "data_type": "float32"}
    image = {"name": "pan", "bands": [], "input": anything, "description": "PAN, one band, counts"}
    ms = {"name": "ms", "bands": [], "input": anything, "description": "MS of any bands, coarser by any ratio, counts"}
    fused = {"name": "fused", "tasks": ["super-resolution"], "bands": [], "result": anything}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [f"https://stac-extensions.github.io/{each}/schema.json" for each in EXTENSIONS],
        "id": f"panflow-{name}",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(GLOBE),
        "properties": {
            "title": training.get("title") or name,
            "description": f"Pansharpening of any sensor. Trained on: {', '.join(credits) or 'drawn scenes'}.",
            "license": model.info.get("licence", "Apache-2.0"),
            "datetime": None,
            "start_datetime": EVER[0],
            "end_datetime": EVER[1],
            "mlm:name": name,
            "mlm:architecture": model.recipe["network"]["name"],
            "mlm:tasks": ["super-resolution"],
            "mlm:framework": "PyTorch",
            "mlm:pretrained": True,
            "mlm:pretrained_source": ", ".join(credits) or None,
            "mlm:total_parameters": sum(p.numel() for p in model.network.parameters()),
            "mlm:accelerator_constrained": False,
            "mlm:input": [image, ms],
            "mlm:output": [fused],
            "panflow:training": [image for k, image in enumerate(images) if image not in images[:k]],
            "mlm:hyperparameters": {"panflow": __version__, "objective": model.recipe["objective"]["name"]},
        },
        "links": [],
        "assets": {
            "weights": {
                "href": f"./{path.name}",
                "type": "application/octet-stream; application=safetensors",
                "title": f"weights of {name}",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                "file:size": path.stat().st_size,
                "file:checksum": "1220" + sha256(path),
            }
        },
    }
